//! Handles to entrypoints elsewhere, and the events sent through them.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{GarbageCollected, OpState, cppgc, op2, v8};
use worker::actor_id::ActorId;
use worker::entrypoint::{Call, Entrypoint, Serialized};
use worker::error::Error;
use worker::event::Entry;
use worker::stub::{self, ActorStub, WorkerStub};

use crate::capability::SerializedHandle;
use crate::dispatch::instance;
use crate::error::JsError;
use crate::serialize::{Buffers, Packing, serialized};

/// An entrypoint that JavaScript holds a handle on.
pub struct StubHandle {
    /// `None` once it was disposed.
    target: RefCell<Option<Rc<dyn Entrypoint>>>,
}

impl StubHandle {
    /// What it is a handle on.
    ///
    /// # Errors
    /// After the handle was disposed.
    pub(crate) fn target(&self) -> Result<Rc<dyn Entrypoint>, JsError> {
        let target = self.target.borrow().clone();
        target.ok_or_else(|| Error::app_code("Error", DISPOSED).into())
    }
}

// SAFETY: nothing in a handle points into V8's heap, so there is nothing to trace.
unsafe impl GarbageCollected for StubHandle {
    fn trace(&self, _visitor: &mut v8::cppgc::Visitor) {}

    fn get_name(&self) -> &'static std::ffi::CStr {
        c"StubHandle"
    }
}

/// Wraps an entrypoint for JavaScript.
pub(crate) fn handle<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    target: Rc<dyn Entrypoint>,
) -> v8::Local<'s, v8::Object> {
    cppgc::make_cppgc_object(scope, StubHandle { target: RefCell::new(Some(target)) })
}

/// A handle to the actor whose id is these hex digits, in the namespace with unique key `key`.
#[op2]
pub fn op_stub_actor<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    #[string] key: String,
    #[string] hex: String,
    #[string] name: Option<String>,
) -> Result<v8::Local<'s, v8::Object>, JsError> {
    let id = ActorId::parse(&key, &hex)?.named(name);
    let shard = Rc::clone(instance(state).shard());
    Ok(handle(scope, Rc::new(ActorStub::new(shard, key.into(), id))))
}

/// A handle to an export of the calling worker, with props.
#[op2]
pub fn op_stub_own<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    #[string] name: String,
    #[cppgc] props: Option<&SerializedHandle>,
) -> v8::Local<'s, v8::Object> {
    let source = instance(state).source();
    let props = props.map(SerializedHandle::value);
    handle(scope, Rc::new(WorkerStub::new(source, Entry { name, props, ..Entry::default() })))
}

/// Sends an RPC event; promise `slot` gets the value. Undefined `arguments` read a property;
/// `packed` is as for [`Packing::of`].
/// False if nothing was sent because the arguments must be packed first.
#[op2(nofast, reentrant)]
pub fn op_stub_call<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    #[cppgc] stub: &StubHandle,
    slot: u32,
    #[string] method: String,
    arguments: v8::Local<'s, v8::Value>,
    packed: v8::Local<'s, v8::Value>,
) -> Result<bool, JsError> {
    let target = stub.target()?;
    let Some(arguments) = sent(scope, arguments, packed)? else { return Ok(false) };
    let call = Call { method: Some(method), arguments, ..Call::default() };
    let instance = instance(&state.borrow());
    stub::send_call(&instance, slot, target, call);
    Ok(true)
}

/// As [`op_stub_call`], through a path of properties; an empty path calls the target itself.
#[op2(nofast, reentrant)]
pub fn op_stub_call_path<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    #[cppgc] stub: &StubHandle,
    slot: u32,
    path: v8::Local<'_, v8::Array>,
    arguments: v8::Local<'s, v8::Value>,
    packed: v8::Local<'s, v8::Value>,
) -> Result<bool, JsError> {
    let target = stub.target()?;
    let Some(arguments) = sent(scope, arguments, packed)? else { return Ok(false) };
    let mut path = names(scope, path);
    let call = Call { method: path.pop(), path, arguments, ..Call::default() };
    let instance = instance(&state.borrow());
    stub::send_call(&instance, slot, target, call);
    Ok(true)
}

/// Sends a call on the result that promise `before` waits for, without waiting for it; promise
/// `slot` gets the value. 0 if it must be waited for, 1 if it was sent, 2 if the arguments must
/// be packed first.
#[op2(nofast, reentrant)]
pub fn op_stub_pipeline<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    before: u32,
    slot: u32,
    path: v8::Local<'_, v8::Array>,
    arguments: v8::Local<'s, v8::Value>,
    packed: v8::Local<'s, v8::Value>,
) -> Result<u32, JsError> {
    let instance = instance(&state.borrow());
    let Some(pipeline) = instance.pipeline(before) else { return Ok(0) };
    let Some(arguments) = sent(scope, arguments, packed)? else { return Ok(2) };
    let mut path = names(scope, path);
    let call = Call { method: path.pop(), path, arguments, ..Call::default() };
    Ok(u32::from(instance.send_to(&pipeline, slot, call)))
}

/// The arguments of a call, none where a property is read; `None` if they must be packed first.
fn sent<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    arguments: v8::Local<'s, v8::Value>,
    packed: v8::Local<'s, v8::Value>,
) -> Result<Option<Option<Serialized>>, JsError> {
    if arguments.is_undefined() {
        return Ok(Some(None));
    }
    let (packing, buffers) = (Packing::of(scope, packed), Buffers::of(scope, arguments));
    Ok(serialized(scope, arguments, packing, buffers)?.map(Some))
}

/// Another handle on what a stub is a handle on.
#[op2]
pub fn op_stub_dup<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] stub: &StubHandle,
) -> Result<v8::Local<'s, v8::Object>, JsError> {
    Ok(handle(scope, stub.target()?))
}

/// Gives a handle up; one that was given up already is no error.
#[op2(fast)]
pub fn op_stub_dispose(#[cppgc] stub: &StubHandle) {
    stub.target.take();
}

fn names(scope: &mut v8::PinScope<'_, '_>, list: v8::Local<'_, v8::Array>) -> Vec<String> {
    let names = (0..list.length()).filter_map(|at| list.get_index(scope, at));
    names.map(|name| name.to_rust_string_lossy(scope)).collect()
}

/// The platform's words for the use of a stub after its disposal (RPC-23).
const DISPOSED: &str = "RPC stub used after being disposed.";
