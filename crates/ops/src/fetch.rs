//! `fetch` events that a worker sends: through a stub, or to wherever its global `fetch()` goes.

use std::cell::Cell;

use deno_core::{GarbageCollected, OpState, cppgc, op2, v8};
use http::Method;
use http::header::CONTENT_LENGTH;
use worker::abort::{self, Aborted, Aborter};
use worker::instance::Instance;
use worker::message::Request;
use worker::redirect::Redirects;
use worker::stub::{FetchOptions, send_fetch};

use crate::dispatch::instance;
use crate::error::JsError;
use crate::response::{body_of, header_map};
use crate::stub::{StubHandle, handle};

/// Both ends of giving up one request: JavaScript keeps this object, and the request takes the
/// other end out of it.
pub struct AbortHandle {
    aborter: Cell<Option<Aborter>>,
    aborted: Cell<Option<Aborted>>,
}

// SAFETY: nothing in a handle points into V8's heap, so there is nothing to trace.
unsafe impl GarbageCollected for AbortHandle {
    fn trace(&self, _visitor: &mut v8::cppgc::Visitor) {}

    fn get_name(&self) -> &'static std::ffi::CStr {
        c"AbortHandle"
    }
}

/// A handle to what the global `fetch()` reaches; throws where that is nothing (WL-32).
#[op2]
pub fn op_fetch_outbound<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
) -> Result<v8::Local<'s, v8::Object>, JsError> {
    let target = instance(state).outbound()?;
    Ok(handle(scope, target))
}

/// A handle by which one request can be given up.
#[op2]
pub fn op_fetch_aborter<'s>(scope: &mut v8::PinScope<'s, '_>) -> v8::Local<'s, v8::Object> {
    let (aborter, aborted) = abort::pair();
    let (aborter, aborted) = (Cell::new(Some(aborter)), Cell::new(Some(aborted)));
    cppgc::make_cppgc_object(scope, AbortHandle { aborter, aborted })
}

/// Gives up the answer of a request and the body of that answer.
#[op2(fast)]
pub fn op_fetch_abort(#[cppgc] handle: &AbortHandle) {
    if let Some(aborter) = handle.aborter.take() {
        aborter.abort();
    }
}

/// Sends a `fetch` event on behalf of event `current`; promise `slot` gets a response handle.
/// With `event` ≥ 0 the request of that event is handed on as it is, and `line` is not looked
/// at; else `line` is `[method, url, follows redirects]`, and the other arguments go with it.
#[op2(nofast)]
#[allow(clippy::too_many_arguments, reason = "one flat call per event")]
pub fn op_fetch_send(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    #[cppgc] stub: &StubHandle,
    slot: u32,
    event: f64,
    current: u32,
    line: v8::Local<'_, v8::Value>,
    headers: v8::Local<'_, v8::Value>,
    body: v8::Local<'_, v8::Value>,
    aborter: v8::Local<'_, v8::Value>,
) -> Result<(), JsError> {
    let instance = instance(state);
    let (request, redirects) = if event >= 0.0 {
        let request = instance.hand_on_request(number(event)).ok_or_else(|| {
            JsError::type_error("Can't read from request stream after response has been sent.")
        })?;
        (request, Redirects::Manual)
    } else {
        made(scope, &instance, current, line, (headers, body))?
    };
    let aborted = cppgc::try_unwrap_cppgc_object::<AbortHandle>(scope, aborter)
        .and_then(|handle| handle.aborted.take());
    let options = FetchOptions { redirects, aborted };
    send_fetch(&instance, slot, stub.target()?, request, options);
    Ok(())
}

/// A request that JavaScript made.
fn made(
    scope: &mut v8::PinScope<'_, '_>,
    instance: &Instance,
    current: u32,
    line: v8::Local<'_, v8::Value>,
    (headers, body): (v8::Local<'_, v8::Value>, v8::Local<'_, v8::Value>),
) -> Result<(Request, Redirects), JsError> {
    let line: v8::Local<'_, v8::Array> =
        line.try_into().map_err(|_| JsError::type_error("Invalid request line."))?;
    let part = |at| {
        let part = line.get_index(scope, at);
        part.map_or_else(String::new, |part| part.to_rust_string_lossy(scope))
    };
    let (method, url) = (part(0), part(1));
    let follows = line.get_index(scope, 2).is_some_and(|part| part.is_true());
    let body = body_of(scope, body).ok_or_else(|| JsError::type_error("Invalid request body."))?;
    let length = body.length().filter(|length| *length > 0);
    let mut request = Request {
        id: instance.request_id(current).unwrap_or_default(),
        method: Method::from_bytes(method.as_bytes())
            .map_err(|_| JsError::type_error(format!("Invalid HTTP method: {method}")))?,
        url,
        headers: match v8::Local::<v8::Array>::try_from(headers) {
            Ok(fields) => {
                header_map(scope, fields).map_err(|error| JsError::type_error(error.to_string()))?
            }
            Err(_) => http::HeaderMap::new(),
        },
        body,
    };
    if let Some(length) = length {
        // Whoever takes it in this process sees it as if it came over a connection.
        request.headers.entry(CONTENT_LENGTH).or_insert_with(|| length.into());
    }
    Ok((request, if follows { Redirects::Follow } else { Redirects::Manual }))
}

/// Event numbers use all 32 bits, and -1 means none.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn number(event: f64) -> u32 {
    event as u32
}
