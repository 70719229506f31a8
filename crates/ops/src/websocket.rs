//! WebSockets as JavaScript holds them: one end of a pair, or one that a response brought.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use deno_core::{GarbageCollected, OpState, cppgc, op2, v8};
use http::{HeaderMap, StatusCode};
use worker::body::Body;
use worker::link::{Close, Frame, NO_STATUS};
use worker::message::Response;
use worker::socket::{Heard, Socket, SocketError, Stage};

use crate::body::bytes_to_v8;
use crate::dispatch::instance;
use crate::error::JsError;
use crate::request::v8_text;
use crate::response::{ResponseHandle, header_map};
use crate::serialize::{Instances, deserialize, serialize};

/// A WebSocket in JavaScript's hands.
pub struct SocketHandle {
    pub(crate) socket: Rc<Socket>,
}

// SAFETY: nothing in a handle points into V8's heap, so there is nothing to trace.
unsafe impl GarbageCollected for SocketHandle {
    fn trace(&self, _visitor: &mut v8::cppgc::Visitor) {}

    fn get_name(&self) -> &'static std::ffi::CStr {
        c"SocketHandle"
    }
}

/// Wraps a socket for JavaScript.
pub(crate) fn handle<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    socket: Rc<Socket>,
) -> v8::Local<'s, v8::Object> {
    cppgc::make_cppgc_object(scope, SocketHandle { socket })
}

impl From<SocketError> for JsError {
    fn from(error: SocketError) -> JsError {
        match error {
            SocketError::NotAccepted
            | SocketError::Closed
            | SocketError::Sent
            | SocketError::Hibernatable
            | SocketError::InUse => JsError::type_error(error.to_string()),
            SocketError::Full
            | SocketError::AcceptedBefore
            | SocketError::PartnerInUse
            | SocketError::Attachment(_)
            | SocketError::Rule(_) => JsError::plain(error.to_string()),
        }
    }
}

/// A new pair: two handles.
#[op2]
pub fn op_websocket_pair<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
) -> v8::Local<'s, v8::Array> {
    let pair = instance(state).shard().socket_pair();
    let handles = pair.map(|socket| handle(scope, socket).into());
    v8::Array::new_with_elements(scope, &handles)
}

/// The number of a socket, by which its events name it.
#[op2(fast)]
#[number]
pub fn op_websocket_id(#[cppgc] handle: &SocketHandle) -> u64 {
    handle.socket.id()
}

/// Begins to deliver what a socket hears, to an actor of the isolate or, with 0, to its
/// stateless worker. False if it was accepted before.
#[op2(fast)]
pub fn op_websocket_accept(
    state: &mut OpState,
    #[cppgc] handle: &SocketHandle,
    actor: u32,
) -> Result<bool, JsError> {
    Ok(instance(state).accept_socket(&handle.socket, actor)?)
}

/// `readyState`.
#[op2(fast)]
pub fn op_websocket_ready_state(#[cppgc] handle: &SocketHandle) -> u32 {
    handle.socket.ready_state()
}

/// Bytes that wait for the peer.
#[op2(fast)]
#[number]
pub fn op_websocket_waiting(#[cppgc] handle: &SocketHandle) -> u64 {
    handle.socket.waiting_bytes() as u64
}

/// Sends a text message.
#[op2(fast)]
pub fn op_websocket_send_text(
    #[cppgc] handle: &SocketHandle,
    #[string] text: String,
) -> Result<(), JsError> {
    Ok(handle.socket.send(Frame::Text(Bytes::from(text)))?)
}

/// Sends a binary message, a copy of what the view shows.
#[op2(fast)]
pub fn op_websocket_send_bytes(
    #[cppgc] handle: &SocketHandle,
    #[buffer(copy)] bytes: Vec<u8>,
) -> Result<(), JsError> {
    Ok(handle.socket.send(Frame::Binary(Bytes::from(bytes)))?)
}

/// Closes our side; code 0 stands for none. JavaScript has checked both.
#[op2(fast)]
pub fn op_websocket_close(
    #[cppgc] handle: &SocketHandle,
    code: u32,
    #[string] reason: String,
) -> Result<(), JsError> {
    let code = u16::try_from(code).ok().filter(|code| *code != 0).unwrap_or(NO_STATUS);
    Ok(handle.socket.close(Close { code, reason })?)
}

/// Drops the connection because a listener failed.
#[op2(fast)]
pub fn op_websocket_drop(state: &mut OpState, #[cppgc] handle: &SocketHandle) {
    instance(state).drop_socket(&handle.socket);
}

/// Takes a socket event: `[id, kind, a, b]`; null if it is over. Kind 0 is a message, 1 a close
/// frame with code and reason, 2 a failure with its text, 3 the loss of the connection.
#[op2]
pub fn op_websocket_event<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    event: u32,
) -> v8::Local<'s, v8::Value> {
    let Some((socket, heard)) = instance(state).take_socket_event(event) else {
        return v8::null(scope).into();
    };
    let none: v8::Local<'_, v8::Value> = v8::undefined(scope).into();
    let (kind, a, b) = match heard {
        Heard::Frame(Frame::Text(text)) => (0, message_text(scope, &text), none),
        Heard::Frame(Frame::Binary(bytes)) => {
            let view = bytes_to_v8(scope, bytes);
            let buffer = view.buffer(scope).map_or(none, Into::into);
            (0, buffer, none)
        }
        Heard::Frame(Frame::Close(close)) => {
            let code = v8::Integer::new(scope, close.code.into()).into();
            (1, code, v8_text(scope, &close.reason))
        }
        Heard::Frame(Frame::Failed(text)) => (2, v8_text(scope, &text), none),
        Heard::Disconnected => (3, none, none),
    };
    let kind = if socket.stage() == Stage::Hibernatable { kind + HIBERNATABLE } else { kind };
    // Ids are counted up from 1 and stay far below 2^53.
    #[allow(clippy::cast_precision_loss)]
    let id = v8::Number::new(scope, socket.id() as f64).into();
    let kind = v8::Integer::new(scope, kind).into();
    v8::Array::new_with_elements(scope, &[id, kind, a, b]).into()
}

/// The handler of a socket event is done.
#[op2(fast)]
pub fn op_websocket_done(state: &mut OpState, event: u32) {
    instance(state).finish_socket_event(event);
}

/// Keeps a value with the socket.
#[op2(nofast, reentrant)]
pub fn op_websocket_attach(
    scope: &mut v8::PinScope<'_, '_>,
    _state: Rc<RefCell<OpState>>,
    #[cppgc] handle: &SocketHandle,
    value: v8::Local<'_, v8::Value>,
) -> Result<(), JsError> {
    let bytes = serialize(scope, value, Instances::Refuse)?;
    Ok(handle.socket.attach(bytes)?)
}

/// The value that was attached last, or null.
#[op2]
pub fn op_websocket_attachment<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] handle: &SocketHandle,
) -> Result<v8::Local<'s, v8::Value>, JsError> {
    match handle.socket.attachment() {
        Some(bytes) => deserialize(scope, &bytes),
        None => Ok(v8::null(scope).into()),
    }
}

/// Answers a fetch event with a WebSocket. `headers` is null or `[name, value, …]`.
#[op2(nofast)]
pub fn op_websocket_respond(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    event: u32,
    #[cppgc] handle: &SocketHandle,
    headers: v8::Local<'_, v8::Value>,
) -> Result<(), JsError> {
    let headers = match v8::Local::<v8::Array>::try_from(headers) {
        Ok(fields) => {
            header_map(scope, fields).map_err(|error| JsError::type_error(error.to_string()))?
        }
        Err(_) => HeaderMap::new(),
    };
    let socket = Some(handle.socket.take_end()?);
    let status = StatusCode::SWITCHING_PROTOCOLS;
    let response = Response { status, headers, body: Body::Empty, url: None, socket };
    instance(state).answer(event, Ok(response));
    Ok(())
}

/// The socket that a response brought: a handle, or null. It can be taken once.
#[op2]
pub fn op_websocket_of_response<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    #[cppgc] response: &ResponseHandle,
) -> v8::Local<'s, v8::Value> {
    match response.take_socket() {
        Some(end) => {
            let socket = instance(state).shard().socket(end);
            handle(scope, socket).into()
        }
        None => v8::null(scope).into(),
    }
}

/// Added to the kind of an event whose socket belongs to an actor's class.
const HIBERNATABLE: i32 = 8;

fn message_text<'s>(scope: &mut v8::PinScope<'s, '_>, text: &[u8]) -> v8::Local<'s, v8::Value> {
    v8_text(scope, std::str::from_utf8(text).unwrap_or_default())
}
