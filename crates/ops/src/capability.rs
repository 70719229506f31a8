//! Capabilities in values: their handles while a value is packed, and what they become where a
//! value is unpacked.
//!
//! JavaScript replaces what bytes cannot carry by handles made here and clones the result; the
//! receiver lists what came, makes its own objects of it, and gets the value with them in place.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use deno_core::{GarbageCollected, OpState, cppgc, op2, v8};
use isolate::MovedBuffer;
use worker::capability::{Arrived, Capability};
use worker::entrypoint::Serialized;
use worker::error::Error;

use crate::body::BodyHandle;
use crate::dispatch::instance;
use crate::error::JsError;
use crate::facets::ClassHandle;
use crate::response::body_of;
use crate::serialize::{Buffers, Packing, deserialize, deserialize_with, serialized};
use crate::stub::{self, StubHandle};

/// Stands for a capability in a value that is about to be cloned.
pub struct CapabilityHandle {
    /// `None` once it is in a clone: a handle that is garbage must keep nothing alive.
    capability: RefCell<Option<Capability>>,
}

impl CapabilityHandle {
    /// Takes the capability out.
    ///
    /// # Errors
    /// When that was done before.
    pub(crate) fn take(&self) -> Result<Capability, JsError> {
        self.capability.take().ok_or_else(|| Error::bug("a capability that was sent").into())
    }
}

/// A cloned value in JavaScript's hands.
pub struct SerializedHandle {
    value: RefCell<Serialized>,
}

impl SerializedHandle {
    pub(crate) fn new(value: Serialized) -> SerializedHandle {
        SerializedHandle { value: RefCell::new(value) }
    }

    /// The value; the handle is empty from then on, and keeps nothing alive.
    fn take(&self) -> Serialized {
        self.value.replace(Serialized::plain(Bytes::new()))
    }

    /// The value; the handle keeps it.
    pub(crate) fn value(&self) -> Serialized {
        self.value.borrow().clone()
    }
}

// SAFETY: nothing in a handle points into V8's heap, so there is nothing to trace.
unsafe impl GarbageCollected for CapabilityHandle {
    fn trace(&self, _visitor: &mut v8::cppgc::Visitor) {}

    fn get_name(&self) -> &'static std::ffi::CStr {
        c"CapabilityHandle"
    }
}

// SAFETY: as for `CapabilityHandle`.
unsafe impl GarbageCollected for SerializedHandle {
    fn trace(&self, _visitor: &mut v8::cppgc::Visitor) {}

    fn get_name(&self) -> &'static std::ffi::CStr {
        c"SerializedHandle"
    }
}

/// The capability of a stub.
#[op2]
pub fn op_capability_of_stub<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] stub: &StubHandle,
) -> Result<v8::Local<'s, v8::Object>, JsError> {
    handle(scope, stub.target()?.capability())
}

/// The capability of a class.
#[op2]
pub fn op_capability_of_class<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] class: &ClassHandle,
) -> Result<v8::Local<'s, v8::Object>, JsError> {
    handle(scope, class.class.capability())
}

/// The capability of a stream: of a string, a `Uint8Array` or a body handle.
#[op2]
pub fn op_capability_of_body<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    content: v8::Local<'s, v8::Value>,
) -> Result<v8::Local<'s, v8::Object>, JsError> {
    let body = body_of(scope, content).ok_or_else(|| Error::bug("a stream of nothing"))?;
    handle(scope, Ok(Capability::of_body(body)))
}

/// The capability of an object that was taken apart into `parts`.
#[op2]
pub fn op_capability_of_value<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    kind: u32,
    #[cppgc] parts: &SerializedHandle,
) -> Result<v8::Local<'s, v8::Object>, JsError> {
    handle(scope, Ok(Capability::Value(kind, Box::new(parts.take()))))
}

/// Lends an object or function to others, in the name of actor `actor` or, for 0, of none. When
/// nobody holds it any longer, dispatch hears of its number.
#[op2]
pub fn op_capability_lend<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    number: u32,
    actor: u32,
) -> v8::Local<'s, v8::Object> {
    let loan = instance(state).lend(number, actor);
    let capability = RefCell::new(Some(Capability::Live(Arc::new(loan))));
    cppgc::make_cppgc_object(scope, CapabilityHandle { capability })
}

/// Gives a capability up that was not sent; one that was is no error.
#[op2(fast)]
pub fn op_capability_drop(#[cppgc] handle: &CapabilityHandle) {
    handle.capability.take();
}

/// Clones a value: a handle of the clone, or null if it must be packed first.
#[op2(reentrant)]
pub fn op_capability_clone<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    value: v8::Local<'s, v8::Value>,
    is_packed: bool,
) -> Result<v8::Local<'s, v8::Value>, JsError> {
    let packing = if is_packed { Packing::Packed(Vec::new()) } else { Packing::Plain };
    Ok(match serialized(scope, value, packing, Buffers::inside())? {
        Some(value) => cppgc::make_cppgc_object(scope, SerializedHandle::new(value)).into(),
        None => v8::null(scope).into(),
    })
}

/// A stub of what a handle stands for: how an isolate holds what it lent itself.
#[op2]
pub fn op_capability_stub<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    #[cppgc] handle: &CapabilityHandle,
) -> Result<v8::Local<'s, v8::Object>, JsError> {
    match handle.take()?.arrive(instance(state).shard()) {
        Arrived::Live(target) => Ok(stub::handle(scope, Rc::new(target))),
        Arrived::Entrypoint(target) => Ok(stub::handle(scope, target)),
        Arrived::Class(_) | Arrived::Body(_) | Arrived::Buffer(_) | Arrived::Value(..) => {
            Err(Error::bug("a stub of what is none").into())
        }
    }
}

/// What a cloned value refers to: `[kind, handle, …]`, with the kinds of `js/capability.js`.
#[op2]
pub fn op_capability_list<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    #[cppgc] packed: &SerializedHandle,
) -> Result<v8::Local<'s, v8::Array>, JsError> {
    let shard = Rc::clone(instance(state).shard());
    let mut list = Vec::new();
    for capability in packed.value.borrow().capabilities() {
        let (kind, object) = match capability.arrive(&shard) {
            Arrived::Entrypoint(target) => (ENTRYPOINT, stub::handle(scope, target)),
            Arrived::Class(class) => {
                (CLASS, cppgc::make_cppgc_object(scope, ClassHandle { class }))
            }
            Arrived::Live(target) => (LIVE, stub::handle(scope, Rc::new(target))),
            Arrived::Body(body) => (BODY, cppgc::make_cppgc_object(scope, BodyHandle::new(body))),
            Arrived::Buffer(buffer) => (BUFFER, arrived_buffer(scope, buffer)?.into()),
            Arrived::Value(kind, parts) => {
                let kind = v8::Integer::new_from_unsigned(scope, kind).into();
                let parts = SerializedHandle::new(parts);
                let parts = cppgc::make_cppgc_object(scope, parts).into();
                (VALUE, v8::Array::new_with_elements(scope, &[kind, parts]).into())
            }
        };
        list.push(v8::Integer::new(scope, kind).into());
        list.push(object.into());
    }
    Ok(v8::Array::new_with_elements(scope, &list))
}

fn arrived_buffer<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    buffer: Option<MovedBuffer>,
) -> Result<v8::Local<'s, v8::ArrayBuffer>, JsError> {
    let buffer = buffer.ok_or_else(|| Error::bug("a buffer that arrived twice"))?;
    // In V8's words for its own buffers.
    let refused = || JsError::range("Array buffer allocation failed".into());
    buffer.arrive(scope).ok_or_else(refused)
}

/// The value, with `objects` in place of what it refers to.
#[op2]
pub fn op_capability_open<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] packed: &SerializedHandle,
    objects: v8::Local<'s, v8::Array>,
) -> Result<v8::Local<'s, v8::Value>, JsError> {
    // What JavaScript made of the capabilities is all that keeps them from now on.
    let value = packed.take();
    deserialize_with(scope, &value.bytes, objects)
}

/// A value for JavaScript: itself, or undefined and the handle it is unpacked from.
///
/// # Errors
/// As [`deserialize`].
pub(crate) fn received<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    value: &Serialized,
) -> Result<[v8::Local<'s, v8::Value>; 2], JsError> {
    if value.is_plain() {
        return Ok([deserialize(scope, &value.bytes)?, v8::undefined(scope).into()]);
    }
    let packed = SerializedHandle::new(value.clone());
    Ok([v8::undefined(scope).into(), cppgc::make_cppgc_object(scope, packed).into()])
}

fn handle<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    capability: Result<Capability, &'static str>,
) -> Result<v8::Local<'s, v8::Object>, JsError> {
    let capability = capability.map_err(|why| JsError::DataClone(why.into()))?;
    let capability = RefCell::new(Some(capability));
    Ok(cppgc::make_cppgc_object(scope, CapabilityHandle { capability }))
}

// The kinds of js/capability.js.
const ENTRYPOINT: i32 = 0;
const CLASS: i32 = 1;
const LIVE: i32 = 2;
const BODY: i32 = 3;
const VALUE: i32 = 4;
const BUFFER: i32 = 5;
