//! Events as JavaScript takes them and answers them, and promises that Rust settles.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{OpState, cppgc, op2, v8};
use worker::error::{Error, Thrown};
use worker::instance::{Instance, LogLevel, Payload};

use crate::body::bytes_to_v8;
use crate::error::JsError;
use crate::request::v8_text;
use crate::response::ResponseHandle;
use crate::serialize::{deserialize, serialized};

/// The stateless entrypoint an event is for: `[export name, props]`.
#[op2]
pub fn op_event_entry<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    event: u32,
) -> Result<v8::Local<'s, v8::Array>, JsError> {
    let entry = instance(state).entry(event).unwrap_or_default();
    let name = v8_text(scope, &entry.name);
    let props = match &entry.props {
        Some(props) => deserialize(scope, &props.0)?,
        None => v8::Object::new(scope).into(),
    };
    Ok(v8::Array::new_with_elements(scope, &[name, props]))
}

/// The call of an RPC event: `[method, arguments]`; arguments are undefined where a property
/// is read.
#[op2]
pub fn op_event_call<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    event: u32,
) -> Result<v8::Local<'s, v8::Array>, JsError> {
    let call = instance(state).take_call(event);
    let call = call.ok_or_else(|| JsError::from(Error::bug("an RPC event without a call")))?;
    let method = v8_text(scope, &call.method);
    let arguments = match &call.arguments {
        Some(arguments) => deserialize(scope, &arguments.0)?,
        None => v8::undefined(scope).into(),
    };
    Ok(v8::Array::new_with_elements(scope, &[method, arguments]))
}

/// Answers an RPC event with a clone of the value.
#[op2(nofast, reentrant)]
pub fn op_event_return(
    scope: &mut v8::PinScope<'_, '_>,
    state: Rc<RefCell<OpState>>,
    event: u32,
    value: v8::Local<'_, v8::Value>,
) -> Result<(), JsError> {
    let value = serialized(scope, value)?;
    let instance = instance(&state.borrow());
    instance.answer_call(event, Ok(value));
    Ok(())
}

/// Answers any event with what its handler threw. An error that another worker threw was
/// logged there.
#[op2(fast)]
pub fn op_event_fail(
    state: &mut OpState,
    event: u32,
    #[string] name: String,
    #[string] message: String,
    #[string] stack: String,
    #[string] code: &str,
    is_remote: bool,
) {
    let instance = instance(state);
    if !is_remote {
        let text = if stack.is_empty() { format!("{name}: {message}") } else { stack.clone() };
        instance.log(event, LogLevel::Error, format!("Uncaught {text}"));
    }
    let thrown = Thrown { stack: Some(stack), ..Thrown::new(name, message) };
    instance.fail(event, Error::AppThrew(thrown.caused_by(code).into()));
}

/// The instance of an actor was constructed.
#[op2(fast)]
pub fn op_event_constructed(state: &mut OpState, event: u32) {
    instance(state).constructed(event);
}

/// What promise `slot` is resolved with; throws what it is rejected with.
#[op2]
pub fn op_pending_take<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    slot: u32,
) -> Result<v8::Local<'s, v8::Value>, JsError> {
    let settled = instance(state).take_settled(slot);
    Ok(match settled.unwrap_or(Ok(Payload::Undefined))? {
        Payload::Undefined => v8::undefined(scope).into(),
        Payload::Null => v8::null(scope).into(),
        Payload::Bytes(bytes) => bytes_to_v8(scope, bytes).into(),
        Payload::Serialized(value) => deserialize(scope, &value.0)?,
        Payload::Response(response) => {
            cppgc::make_cppgc_object(scope, ResponseHandle::new(response)).into()
        }
    })
}

/// The host side of the isolate this op was called in.
pub(crate) fn instance(state: &OpState) -> Rc<Instance> {
    Rc::clone(state.borrow::<Rc<Instance>>())
}
