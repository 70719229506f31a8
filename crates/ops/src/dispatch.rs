//! Events as JavaScript takes them and answers them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use deno_core::{OpState, op2, v8};
use worker::capability::Capability;
use worker::entrypoint::Call;
use worker::error::{Breach, Error, Thrown};
use worker::instance::{Instance, LogLevel};

use crate::capability::{CapabilityHandle, SerializedHandle, received};
use crate::error::JsError;
use crate::request::v8_text;
use crate::serialize::{Buffers, Packing, serialized};

/// The stateless entrypoint an event is for: `[export name, props, packed props]`.
#[op2]
pub fn op_dispatch_entry<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    event: u32,
) -> Result<v8::Local<'s, v8::Array>, JsError> {
    let entry = instance(state).entry(event).unwrap_or_default();
    let name = v8_text(scope, &entry.name);
    let [props, packed] = match &entry.props {
        Some(props) => received(scope, props)?,
        None => [v8::Object::new(scope).into(), v8::undefined(scope).into()],
    };
    Ok(v8::Array::new_with_elements(scope, &[name, props, packed]))
}

/// The call of an RPC event: `[method, arguments, packed arguments]`; both are undefined where
/// a property is read.
#[op2]
pub fn op_dispatch_call<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    event: u32,
) -> Result<v8::Local<'s, v8::Array>, JsError> {
    let call = take_call(state, event)?;
    let method = v8_text(scope, call.method.as_deref().unwrap_or_default());
    let [arguments, packed] = received_arguments(scope, &call)?;
    Ok(v8::Array::new_with_elements(scope, &[method, arguments, packed]))
}

/// The call of an RPC event that is not for an entrypoint's own member: `[target, path,
/// arguments, packed arguments]`, where target is the number of what was lent or 0 for the
/// entrypoint.
#[op2]
pub fn op_dispatch_invoke<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    event: u32,
) -> Result<v8::Local<'s, v8::Array>, JsError> {
    let call = take_call(state, event)?;
    let target = call.target.as_ref().map_or(0, |loan| loan.number());
    let target = v8::Integer::new_from_unsigned(scope, target).into();
    let names = call.path.iter().chain(&call.method);
    let path: Vec<_> = names.map(|name| v8_text(scope, name)).collect();
    let path = v8::Array::new_with_elements(scope, &path).into();
    let [arguments, packed] = received_arguments(scope, &call)?;
    Ok(v8::Array::new_with_elements(scope, &[target, path, arguments, packed]))
}

fn take_call(state: &OpState, event: u32) -> Result<Call, JsError> {
    let call = instance(state).take_call(event);
    call.ok_or_else(|| JsError::from(Error::bug("an RPC event without a call")))
}

/// `[arguments, packed arguments]`, both undefined where a property is read.
fn received_arguments<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    call: &Call,
) -> Result<[v8::Local<'s, v8::Value>; 2], JsError> {
    match &call.arguments {
        Some(arguments) => received(scope, arguments),
        None => Ok([v8::undefined(scope).into(); 2]),
    }
}

/// Answers an RPC event with a clone of the value: 0 if it must be packed first, 1 if it was
/// answered, 2 if besides calls wait for the value, see [`op_dispatch_run_waiting`]. The
/// capability `disposer` goes with it although the value does not name it.
#[op2(nofast, reentrant)]
pub fn op_dispatch_return<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    event: u32,
    value: v8::Local<'s, v8::Value>,
    #[cppgc] disposer: Option<&CapabilityHandle>,
    packed: v8::Local<'s, v8::Value>,
) -> Result<u32, JsError> {
    let (packing, buffers) = (Packing::of(scope, packed), Buffers::of(scope, value));
    let Some(mut value) = serialized(scope, value, packing, buffers)? else {
        return Ok(0);
    };
    if let Some(disposer) = disposer {
        value = value.with(disposer.take()?);
    }
    let instance = instance(&state.borrow());
    let has_waiting = instance.close_pipeline(event);
    instance.answer_call(event, Ok(value));
    Ok(if has_waiting { 2 } else { 1 })
}

/// Runs the calls that waited for the value that was just returned, of which `lent` is a loan.
#[op2(fast)]
pub fn op_dispatch_run_waiting(
    state: &mut OpState,
    #[cppgc] lent: &CapabilityHandle,
) -> Result<(), JsError> {
    if let Capability::Live(loan) = lent.take()? {
        instance(state).run_waiting(&loan);
    }
    Ok(())
}

/// What kind of event runs under a number: 0 none any longer, 1 an RPC call, 2 another.
#[op2(fast)]
pub fn op_dispatch_kind(state: &mut OpState, event: u32) -> u32 {
    match instance(state).is_call(event) {
        None => 0,
        Some(true) => 1,
        Some(false) => 2,
    }
}

/// Answers any event with what its handler threw. An error that another worker threw was
/// logged there.
#[op2(nofast)]
#[allow(clippy::too_many_arguments)]
pub fn op_dispatch_fail(
    state: &mut OpState,
    event: u32,
    #[string] name: String,
    #[string] message: String,
    #[string] stack: String,
    #[string] code: &str,
    limit: f64,
    used: f64,
    #[string] place: &str,
    is_remote: bool,
    #[cppgc] value: Option<&SerializedHandle>,
) {
    let instance = instance(state);
    if instance.is_ended() {
        return;
    }
    if !is_remote {
        let text = if stack.is_empty() { format!("{name}: {message}") } else { stack.clone() };
        instance.log(event, LogLevel::Error, format!("Uncaught {text}"));
    }
    let value = value.map(SerializedHandle::value);
    // Zero and less is none.
    let limit = Some(limit as u64).filter(|limit| *limit > 0);
    let breach = limit.map(|limit| Breach { limit, used: used as u64, place: place_of(place) });
    let breach = breach.map(Arc::new);
    let thrown = Thrown { stack: Some(stack), value, breach, ..Thrown::new(name, message) };
    instance.fail(event, Error::AppThrew(thrown.caused_by(code).into()));
}

/// The frames of user code in a stack as JavaScript renders it, or that is a place already.
fn place_of(stack: &str) -> Option<Arc<str>> {
    let lines = stack.lines().map(str::trim).filter(|line| line.starts_with("at "));
    let own = lines.filter(|line| !FOREIGN.iter().any(|mark| line.contains(mark)));
    let own: Vec<String> =
        own.take(FRAMES_MAX).map(|line| line.replace("worker:///", "")).collect();
    let text = own.join("\n");
    (!text.is_empty() && text.len() <= PLACE_BYTES_MAX).then(|| text.into())
}

/// Marks of frames that are ours or the engine's.
const FOREIGN: [&str; 3] = ["ext:", "<anonymous>", "(native"];

/// Of the place of an error.
const FRAMES_MAX: usize = 10;
const PLACE_BYTES_MAX: usize = 4 << 10;

/// The instance of an actor was constructed.
#[op2(fast)]
pub fn op_dispatch_constructed(state: &mut OpState, event: u32) {
    instance(state).constructed(event);
}

/// The host side of the isolate this op was called in.
pub(crate) fn instance(state: &OpState) -> Rc<Instance> {
    Rc::clone(state.borrow::<Rc<Instance>>())
}
