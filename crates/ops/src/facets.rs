//! `ctx.facets`: binding names to facets, starting, aborting and erasing them.

use std::rc::Rc;

use deno_core::{GarbageCollected, OpState, cppgc, op2, v8};
use worker::actor::{Actor, Name};
use worker::actor_id::ActorId;
use worker::facet::{self, ActorClass, Bound, FacetSlot, FacetStub};
use worker::loader::WorkerSource;
use worker::meter::InvocationLimits;

use crate::actor::reason;
use crate::capability::SerializedHandle;
use crate::dispatch::instance;
use crate::error::{JsError, thrown};
use crate::loader::{LoadedHandle, invocation_limits};
use crate::request::v8_text;
use crate::stub;

/// A facet's slot in JavaScript's hands, while its startup callback runs.
pub struct SlotHandle {
    slot: Rc<FacetSlot>,
}

/// A class for facets in JavaScript's hands.
pub struct ClassHandle {
    pub(crate) class: ActorClass,
}

// SAFETY: nothing in a handle points into V8's heap, so there is nothing to trace.
unsafe impl GarbageCollected for SlotHandle {
    fn trace(&self, _visitor: &mut v8::cppgc::Visitor) {}

    fn get_name(&self) -> &'static std::ffi::CStr {
        c"SlotHandle"
    }
}

// SAFETY: as for `SlotHandle`.
unsafe impl GarbageCollected for ClassHandle {
    fn trace(&self, _visitor: &mut v8::cppgc::Visitor) {}

    fn get_name(&self) -> &'static std::ffi::CStr {
        c"ClassHandle"
    }
}

/// Checks a facet's name and depth.
#[op2(fast)]
pub fn op_facets_check(
    state: &mut OpState,
    actor: u32,
    #[string] name: &str,
) -> Result<(), JsError> {
    facet::check_name(name)?;
    Ok(facet::check_depth(&*parent(state, actor)?)?)
}

/// Binds a name: `[stub, slot]`, where slot is null unless the facet must be started.
#[op2]
pub fn op_facets_bind<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    actor: u32,
    #[string] name: &str,
) -> Result<v8::Local<'s, v8::Array>, JsError> {
    let parent = parent(state, actor)?;
    let (slot, handle) = match facet::bind(&parent, name) {
        Bound::Known(slot) => (slot, v8::null(scope).into()),
        Bound::New(slot) => {
            let handle = SlotHandle { slot: Rc::clone(&slot) };
            (slot, cppgc::make_cppgc_object(scope, handle).into())
        }
    };
    let stub = stub::handle(scope, Rc::new(FacetStub(slot))).into();
    Ok(v8::Array::new_with_elements(scope, &[stub, handle]))
}

/// Starts a facet. `id` is null for the parent's; with `namespace` it is hex digits of that
/// namespace and `id_name` its name, without it a plain string.
#[op2]
pub fn op_facets_start(
    #[cppgc] slot: &SlotHandle,
    #[cppgc] class: &ClassHandle,
    #[string] id: Option<String>,
    #[string] id_name: Option<String>,
    #[string] namespace: Option<String>,
) -> Result<(), JsError> {
    let id = match (id, namespace) {
        (None, _) => None,
        (Some(text), None) => Some(Name::Text(text)),
        (Some(hex), Some(class)) => Some(Name::Id(ActorId::parse(&class, &hex)?.named(id_name))),
    };
    slot.slot.start(class.class.clone(), id);
    Ok(())
}

/// The startup callback threw.
#[op2(fast)]
pub fn op_facets_fail(
    #[cppgc] slot: &SlotHandle,
    #[string] name: String,
    #[string] message: String,
) {
    slot.slot.fail(&thrown(name, message));
}

/// Aborts a facet; one that does not run is no error.
#[op2(fast)]
pub fn op_facets_abort(
    state: &mut OpState,
    actor: u32,
    #[string] name: &str,
    #[string] error_name: String,
    #[string] message: String,
) -> Result<(), JsError> {
    facet::check_name(name)?;
    facet::abort(&*parent(state, actor)?, name, &reason(error_name, message));
    Ok(())
}

/// Aborts a facet and erases its data and that of the facets below it.
#[op2(fast)]
pub fn op_facets_delete(
    state: &mut OpState,
    actor: u32,
    #[string] name: &str,
) -> Result<(), JsError> {
    facet::check_name(name)?;
    Ok(facet::delete(&*parent(state, actor)?, name)?)
}

/// Copies a facet's data over that of another facet.
#[op2(fast)]
pub fn op_facets_clone(
    state: &mut OpState,
    actor: u32,
    #[string] from: &str,
    #[string] to: &str,
) -> Result<(), JsError> {
    facet::check_name(from)?;
    facet::check_name(to)?;
    Ok(facet::clone(&*parent(state, actor)?, from, to)?)
}

/// Names of the facets that run or have data.
#[op2]
pub fn op_facets_list<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    actor: u32,
) -> Result<v8::Local<'s, v8::Array>, JsError> {
    let names = facet::list(&*parent(state, actor)?)?;
    let names: Vec<_> = names.iter().map(|name| v8_text(scope, name)).collect();
    Ok(v8::Array::new_with_elements(scope, &names))
}

/// The name of the facet that the actor is asked to start, because its alarm is due.
#[op2]
#[string]
pub fn op_facets_to_wake(state: &mut OpState, event: u32) -> String {
    instance(state).facet_to_wake(event).unwrap_or_default()
}

/// Says whether the facet to wake starts.
#[op2(fast)]
pub fn op_facets_woken(state: &mut OpState, event: u32, is_known: bool) {
    instance(state).answer_wake(event, is_known);
}

/// A class that the calling worker exports, with props.
#[op2]
pub fn op_facets_own_class<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    #[string] name: String,
    #[cppgc] props: Option<&SerializedHandle>,
) -> v8::Local<'s, v8::Object> {
    class(scope, (instance(state).source(), name), props, InvocationLimits::default())
}

/// A class that a dynamic worker exports, with props.
#[op2]
pub fn op_facets_loaded_class<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] worker: &LoadedHandle,
    #[string] name: String,
    #[cppgc] props: Option<&SerializedHandle>,
    #[string] limits: &str,
) -> Result<v8::Local<'s, v8::Object>, JsError> {
    let source = WorkerSource::Loaded(Rc::clone(&worker.worker));
    Ok(class(scope, (source, name), props, invocation_limits(limits)?))
}

pub(crate) fn class<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    (source, name): (WorkerSource, String),
    props: Option<&SerializedHandle>,
    limits: InvocationLimits,
) -> v8::Local<'s, v8::Object> {
    let props = props.map(SerializedHandle::value);
    let class = ActorClass { source, name, props, limits };
    cppgc::make_cppgc_object(scope, ClassHandle { class })
}

fn parent(state: &OpState, actor: u32) -> Result<Rc<Actor>, JsError> {
    instance(state).actor(actor).ok_or_else(JsError::actor_gone)
}
