//! The request of a running event, handed to JavaScript piece by piece as it is asked for.

use std::rc::Rc;

use deno_core::{OpState, cppgc, op2, v8};
use http::HeaderMap;
use worker::body::Body;
use worker::instance::Instance;
use worker::message::Request;

use crate::body::BodyHandle;

/// Why a request could not be looked at.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
pub enum RequestOpError {
    /// The event is over, and its request with it.
    #[class(generic)]
    #[error("Can't read from request stream after response has been sent.")]
    Over,
}

/// The request line of an event: `[method, url]`.
#[op2]
pub fn op_request_line<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    event: u32,
) -> Result<v8::Local<'s, v8::Array>, RequestOpError> {
    let [method, url] = with_head(state, event, |request| {
        [v8_text(scope, request.method.as_str()), v8_text(scope, &request.url)]
    })?;
    Ok(v8::Array::new_with_elements(scope, &[method, url]))
}

/// The headers of an event's request: `[name, value, …]`, names in lower case.
#[op2]
pub fn op_request_headers<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    event: u32,
) -> Result<v8::Local<'s, v8::Array>, RequestOpError> {
    with_head(state, event, |request| {
        let mut fields = Vec::with_capacity(request.headers.len() * 2);
        push_headers(scope, &request.headers, &mut fields);
        v8::Array::new_with_elements(scope, &fields)
    })
}

/// Takes the body of an event's request out: a body handle, or null if there is none.
#[op2]
pub fn op_request_body<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    event: u32,
) -> Result<v8::Local<'s, v8::Value>, RequestOpError> {
    let body = match with_request(state, event, |request| std::mem::take(&mut request.body)) {
        // A request without a body can be read at any time.
        Err(_) if with_head(state, event, |head| matches!(head.body, Body::Empty))? => Body::Empty,
        body => body?,
    };
    Ok(match body {
        Body::Empty => v8::null(scope).into(),
        body => cppgc::make_cppgc_object(scope, BodyHandle::new(body)).into(),
    })
}

/// Whether an event's request still has its body.
#[op2(fast)]
pub fn op_request_has_body(state: &mut OpState, event: u32) -> Result<bool, RequestOpError> {
    with_request(state, event, |request| !matches!(request.body, Body::Empty))
}

fn with_head<R>(
    state: &OpState,
    event: u32,
    look: impl FnOnce(&Request) -> R,
) -> Result<R, RequestOpError> {
    state.borrow::<Rc<Instance>>().with_head(event, look).ok_or(RequestOpError::Over)
}

fn with_request<R>(
    state: &OpState,
    event: u32,
    look: impl FnOnce(&mut Request) -> R,
) -> Result<R, RequestOpError> {
    state.borrow::<Rc<Instance>>().with_request(event, look).ok_or(RequestOpError::Over)
}

/// Appends `name, value` of every header. Values are read as UTF-8, as workerd does.
pub(crate) fn push_headers<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    headers: &HeaderMap,
    fields: &mut Vec<v8::Local<'s, v8::Value>>,
) {
    for (name, value) in headers {
        // Names are compared with constants of user code, which are internalized too.
        fields.push(one_byte(scope, name.as_str().as_bytes(), v8::NewStringType::Internalized));
        fields.push(utf8(scope, value.as_bytes()));
    }
}

/// A string of V8; an empty one in place of one that is too long for it.
pub(crate) fn v8_text<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    text: &str,
) -> v8::Local<'s, v8::Value> {
    utf8(scope, text.as_bytes())
}

fn utf8<'s>(scope: &mut v8::PinScope<'s, '_>, bytes: &[u8]) -> v8::Local<'s, v8::Value> {
    if bytes.is_ascii() {
        return one_byte(scope, bytes, v8::NewStringType::Normal);
    }
    match v8::String::new_from_utf8(scope, bytes, v8::NewStringType::Normal) {
        Some(text) => text.into(),
        None => v8::String::empty(scope).into(),
    }
}

fn one_byte<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    bytes: &[u8],
    kind: v8::NewStringType,
) -> v8::Local<'s, v8::Value> {
    match v8::String::new_from_one_byte(scope, bytes, kind) {
        Some(text) => text.into(),
        None => v8::String::empty(scope).into(),
    }
}
