//! Promises that Rust settles: JavaScript is told the number of one and takes its value here.

use deno_core::{OpState, cppgc, op2, v8};
use worker::error::Error;
use worker::instance::Payload;

use crate::body::bytes_to_v8;
use crate::capability::SerializedHandle;
use crate::dispatch::instance;
use crate::error::JsError;
use crate::response::ResponseHandle;
use crate::serialize::deserialize;

/// What promise `slot` is resolved with; throws what it is rejected with. A value with
/// capabilities, and a thrown one that has a clone, comes as the handle it is unpacked from.
#[op2]
pub fn op_pending_take<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    slot: u32,
) -> Result<v8::Local<'s, v8::Value>, JsError> {
    let settled = instance(state).take_settled(slot);
    if let Some(Err(Error::AppThrew(thrown))) = &settled
        && let Some(value) = &thrown.value
    {
        return Ok(cppgc::make_cppgc_object(scope, SerializedHandle::new(value.clone())).into());
    }
    Ok(match settled.unwrap_or(Ok(Payload::Undefined))? {
        Payload::Undefined => v8::undefined(scope).into(),
        Payload::Null => v8::null(scope).into(),
        Payload::Bytes(bytes) => bytes_to_v8(scope, bytes).into(),
        Payload::Serialized(value) if value.is_plain() => deserialize(scope, &value.bytes)?,
        Payload::Serialized(value) => {
            cppgc::make_cppgc_object(scope, SerializedHandle::new(value)).into()
        }
        Payload::Response(response) => {
            cppgc::make_cppgc_object(scope, ResponseHandle::new(response)).into()
        }
    })
}
