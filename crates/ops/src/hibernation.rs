//! The WebSockets of an actor that outlive its instance: `ctx.acceptWebSocket()` and its kin.

use std::rc::Rc;

use bytes::Bytes;
use deno_core::{OpState, op2, v8};
use worker::actor::Actor;
use worker::socket::{Socket, SocketError};
use worker::socket_set::AutoResponse;

use crate::dispatch::instance;
use crate::error::JsError;
use crate::request::v8_text;
use crate::websocket::{SocketHandle, handle};

/// Gives a socket to an actor, with an array of tags.
#[op2(nofast)]
pub fn op_hibernation_accept(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    actor: u32,
    #[cppgc] handle: &SocketHandle,
    tags: v8::Local<'_, v8::Array>,
) -> Result<(), JsError> {
    let actor = actor_of(state, actor)?;
    let mut texts = Vec::new();
    for index in 0..tags.length().min(TAGS_READ_MAX) {
        if let Some(tag) = tags.get_index(scope, index) {
            texts.push(tag.to_rust_string_lossy(scope));
        }
    }
    Ok(actor.sockets().accept(&handle.socket, &texts)?)
}

/// The numbers of the actor's sockets with this tag, or of all, newest first.
#[op2]
pub fn op_hibernation_sockets<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    actor: u32,
    #[string] tag: Option<String>,
) -> Result<v8::Local<'s, v8::Array>, JsError> {
    let actor = actor_of(state, actor)?;
    let sockets = actor.sockets().sockets(tag.as_deref());
    let ids: Vec<v8::Local<'_, v8::Value>> =
        sockets.iter().map(|socket| v8::Number::new(scope, number(socket)).into()).collect();
    Ok(v8::Array::new_with_elements(scope, &ids))
}

/// The actor's socket of this number: a handle, or null.
#[op2]
pub fn op_hibernation_socket<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    actor: u32,
    #[number] id: u64,
) -> Result<v8::Local<'s, v8::Value>, JsError> {
    let actor = actor_of(state, actor)?;
    Ok(match actor.sockets().find(id) {
        Some(socket) => handle(scope, socket).into(),
        None => v8::null(scope).into(),
    })
}

/// The tags of a socket.
#[op2]
pub fn op_hibernation_tags<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] handle: &SocketHandle,
) -> Result<v8::Local<'s, v8::Array>, JsError> {
    let tags = handle.socket.tags()?;
    let tags: Vec<_> = tags.iter().map(|tag| v8_text(scope, tag)).collect();
    Ok(v8::Array::new_with_elements(scope, &tags))
}

/// Sets the text that is answered automatically; null for both removes it.
#[op2]
pub fn op_hibernation_set_auto_response(
    state: &mut OpState,
    actor: u32,
    #[string] request: Option<String>,
    #[string] response: Option<String>,
) -> Result<(), JsError> {
    let actor = actor_of(state, actor)?;
    let pair = request.zip(response).map(|(request, response)| AutoResponse {
        request: Bytes::from(request),
        response: Bytes::from(response),
    });
    let refused = |error: SocketError| JsError::range(error.to_string());
    actor.sockets().set_auto_response(pair).map_err(refused)
}

/// The text that is answered automatically: `[request, response]`, or null.
#[op2]
pub fn op_hibernation_auto_response<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    actor: u32,
) -> Result<v8::Local<'s, v8::Value>, JsError> {
    let actor = actor_of(state, actor)?;
    let Some(pair) = actor.sockets().auto_response() else { return Ok(v8::null(scope).into()) };
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    let parts = [text(&pair.request), text(&pair.response)].map(|text| v8_text(scope, &text));
    Ok(v8::Array::new_with_elements(scope, &parts).into())
}

/// When a socket was answered automatically for the last time, in milliseconds; -1 for never.
#[op2(fast)]
pub fn op_hibernation_answered(#[cppgc] handle: &SocketHandle) -> f64 {
    #[allow(clippy::cast_precision_loss)]
    handle.socket.answered_ms().map_or(-1.0, |ms| ms as f64)
}

/// Limits how long a handler may take, in milliseconds; 0 lifts the limit.
#[op2(fast)]
pub fn op_hibernation_set_timeout(
    state: &mut OpState,
    actor: u32,
    timeout_ms: u32,
) -> Result<(), JsError> {
    let actor = actor_of(state, actor)?;
    Ok(actor.sockets().set_timeout_ms(timeout_ms)?)
}

/// How long a handler may take, in milliseconds; 0 for any time.
#[op2(fast)]
pub fn op_hibernation_timeout(state: &mut OpState, actor: u32) -> Result<u32, JsError> {
    Ok(actor_of(state, actor)?.sockets().timeout_ms().unwrap_or(0))
}

fn actor_of(state: &OpState, actor: u32) -> Result<Rc<Actor>, JsError> {
    instance(state).actor(actor).ok_or_else(JsError::actor_gone)
}

/// Ids are counted up from 1 and stay far below 2^53.
#[allow(clippy::cast_precision_loss)]
fn number(socket: &Socket) -> f64 {
    socket.id() as f64
}

/// Repeated tags are no error, but nobody needs so many.
const TAGS_READ_MAX: u32 = 1_000;
