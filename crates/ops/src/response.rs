//! Answers of events, and responses that came from elsewhere and are handed on or looked at.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use deno_core::{GarbageCollected, OpState, cppgc, op2, v8};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use worker::body::Body;
use worker::encoding::Encoding;
use worker::instance::Instance;
use worker::link::SocketEnd;
use worker::message::Response;

use crate::body::{BODY_USED, BodyHandle};
use crate::request::{push_headers, v8_text};

/// A response in JavaScript's hands that was not made there.
pub struct ResponseHandle {
    response: RefCell<Option<Response>>,
}

/// Why a response could not be sent or looked at.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
pub enum ResponseOpError {
    /// The status is none that HTTP can carry.
    #[class(range)]
    #[error("Invalid response status code: {0}")]
    Status(u32),
    /// A header's name or value is none that HTTP can carry.
    #[class(type)]
    #[error("Invalid header: {0}")]
    Header(String),
    /// The body is of none of the kinds that the runtime hands over.
    #[class(type)]
    #[error("Invalid response body.")]
    Body,
    /// The response was sent or handed on before.
    #[class(type)]
    #[error("{BODY_USED}")]
    Used,
}

// SAFETY: nothing in a handle points into V8's heap, so there is nothing to trace.
unsafe impl GarbageCollected for ResponseHandle {
    fn trace(&self, _visitor: &mut v8::cppgc::Visitor) {}

    fn get_name(&self) -> &'static std::ffi::CStr {
        c"ResponseHandle"
    }
}

impl ResponseHandle {
    /// Makes a handle on a response that nobody has looked at.
    #[must_use]
    pub fn new(response: Response) -> ResponseHandle {
        ResponseHandle { response: RefCell::new(Some(response)) }
    }

    /// Takes the WebSocket out that begins with it.
    #[must_use]
    pub fn take_socket(&self) -> Option<SocketEnd> {
        self.response.borrow_mut().as_mut()?.socket.take()
    }
}

/// Answers a fetch event. `headers` is null or `[name, value, …]`; `body` is null, a string, a
/// `Uint8Array` or a body handle. A string without headers is sent as `text/plain`. A body under
/// `content-encoding` is encoded, unless it is said to be so already.
#[op2(fast)]
#[allow(clippy::too_many_arguments, reason = "one flat call per event")]
pub fn op_response_send(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    event: u32,
    status: u32,
    headers: v8::Local<'_, v8::Value>,
    body: v8::Local<'_, v8::Value>,
    is_encoded: bool,
) -> Result<(), ResponseOpError> {
    let status = u16::try_from(status)
        .ok()
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or(ResponseOpError::Status(status))?;
    let mut headers = match v8::Local::<v8::Array>::try_from(headers) {
        Ok(fields) => header_map(scope, fields)?,
        Err(_) if body.is_string() => {
            HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(TEXT_TYPE))])
        }
        Err(_) => HeaderMap::new(),
    };
    let encoding = if is_encoded { None } else { Encoding::of(&headers) };
    let (body, is_recoded) = encoded_body_of(scope, body, encoding).ok_or(ResponseOpError::Body)?;
    if is_recoded {
        // It is the length of other bytes.
        headers.remove(CONTENT_LENGTH);
    }
    let response = Response { status, headers, body, url: None, socket: None };
    state.borrow::<Rc<Instance>>().answer(event, Ok(response));
    Ok(())
}

/// Answers a fetch event with a response that JavaScript did not touch.
#[op2(fast)]
pub fn op_response_forward(
    state: &mut OpState,
    event: u32,
    #[cppgc] handle: &ResponseHandle,
) -> Result<(), ResponseOpError> {
    let response = handle.response.take().ok_or(ResponseOpError::Used)?;
    state.borrow::<Rc<Instance>>().answer(event, Ok(response));
    Ok(())
}

/// Everything but the body: `[status, statusText, url, name, value, …]`; `url` is null unless
/// a redirect led there.
#[op2]
pub fn op_response_head<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] handle: &ResponseHandle,
) -> Result<v8::Local<'s, v8::Array>, ResponseOpError> {
    let response = handle.response.borrow();
    let response = response.as_ref().ok_or(ResponseOpError::Used)?;
    let mut fields = Vec::with_capacity(3 + response.headers.len() * 2);
    fields.push(v8::Integer::new(scope, i32::from(response.status.as_u16())).into());
    fields.push(v8_text(scope, response.status.canonical_reason().unwrap_or("")));
    fields.push(match &response.url {
        Some(url) => v8_text(scope, url),
        None => v8::null(scope).into(),
    });
    push_headers(scope, &response.headers, &mut fields);
    Ok(v8::Array::new_with_elements(scope, &fields))
}

/// Takes the body out: a body handle, or null if there is none.
#[op2]
pub fn op_response_body<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] handle: &ResponseHandle,
) -> Result<v8::Local<'s, v8::Value>, ResponseOpError> {
    let mut response = handle.response.borrow_mut();
    let response = response.as_mut().ok_or(ResponseOpError::Used)?;
    let encoding = Encoding::of(&response.headers);
    Ok(match std::mem::take(&mut response.body) {
        Body::Empty => v8::null(scope).into(),
        body => cppgc::make_cppgc_object(scope, BodyHandle::encoded(body, encoding)).into(),
    })
}

/// Reads a flat list of header names and values.
///
/// # Errors
/// [`ResponseOpError::Header`] with the first field that HTTP cannot carry.
pub fn header_map(
    scope: &mut v8::PinScope<'_, '_>,
    fields: v8::Local<'_, v8::Array>,
) -> Result<HeaderMap, ResponseOpError> {
    let length = fields.length();
    let mut headers = HeaderMap::with_capacity(length as usize / 2);
    for at in (0..length.saturating_sub(1)).step_by(2) {
        let name = field(scope, fields, at)?;
        let value = field(scope, fields, at + 1)?;
        let Ok(key) = HeaderName::from_bytes(name.as_bytes()) else {
            return Err(ResponseOpError::Header(name));
        };
        let value = HeaderValue::from_maybe_shared(Bytes::from(value))
            .map_err(|_| ResponseOpError::Header(name))?;
        headers.append(key, value);
    }
    Ok(headers)
}

/// Reads a body as JavaScript hands it over: null, a string, a `Uint8Array` (copied) or a body
/// handle (emptied). `None` for anything else.
pub fn body_of(scope: &mut v8::PinScope<'_, '_>, value: v8::Local<'_, v8::Value>) -> Option<Body> {
    Some(encoded_body_of(scope, value, None)?.0)
}

/// As [`body_of`], in an encoding, and whether that changed the bytes.
fn encoded_body_of(
    scope: &mut v8::PinScope<'_, '_>,
    value: v8::Local<'_, v8::Value>,
    encoding: Option<Encoding>,
) -> Option<(Body, bool)> {
    if let Some(handle) = cppgc::try_unwrap_cppgc_object::<BodyHandle>(scope, value) {
        return Some(handle.take_as(encoding));
    }
    let body = own_body_of(scope, value)?;
    Some(match encoding {
        Some(encoding) => (encoding.encode(body), true),
        None => (body, false),
    })
}

/// A body that is not Rust's yet.
fn own_body_of(scope: &mut v8::PinScope<'_, '_>, value: v8::Local<'_, v8::Value>) -> Option<Body> {
    if value.is_null_or_undefined() {
        return Some(Body::Empty);
    }
    if let Ok(text) = v8::Local::<v8::String>::try_from(value) {
        return Some(Body::Full(Bytes::from(text.to_rust_string_lossy(scope))));
    }
    if let Ok(view) = v8::Local::<v8::Uint8Array>::try_from(value) {
        let mut bytes = vec![0; view.byte_length()];
        let copied = view.copy_contents(&mut bytes);
        bytes.truncate(copied);
        return Some(Body::Full(Bytes::from(bytes)));
    }
    None
}

fn field(
    scope: &mut v8::PinScope<'_, '_>,
    fields: v8::Local<'_, v8::Array>,
    index: u32,
) -> Result<String, ResponseOpError> {
    let field = fields.get_index(scope, index);
    match field.and_then(|field| v8::Local::<v8::String>::try_from(field).ok()) {
        Some(text) => Ok(text.to_rust_string_lossy(scope)),
        None => Err(ResponseOpError::Header(format!("field {index} is no string"))),
    }
}

const TEXT_TYPE: &str = "text/plain;charset=UTF-8";
