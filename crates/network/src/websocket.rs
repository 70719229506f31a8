//! WebSockets (RFC 6455): the handshake, and the session that carries frames between a
//! connection and the socket end of a worker: one it answered with, or one it asked for.
//!
//! A session is two halves in one task, one for each direction. It reads no more of its peer
//! while the worker is behind, and an idle one owns no buffer. There are no extensions, so no
//! compressed messages. Pings are answered here and seen by nobody else (DO-26).

mod frame;
mod session;
mod wire;

pub(crate) use frame::Role;
use http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use http::{Method, Version};
pub(crate) use session::run;
use tungstenite::handshake::derive_accept_key;
pub(crate) use wire::{Accepted, Dialled, keep_alive};

/// The client's key, if a request asks for a WebSocket by all the rules (RFC 6455 §4.2.1).
/// Any other request is an ordinary one.
pub(crate) fn key<'a>(
    method: &Method,
    version: Version,
    headers: &'a HeaderMap,
) -> Option<&'a HeaderValue> {
    let is_asked = names(headers, UPGRADE, "websocket") && names(headers, CONNECTION, "upgrade");
    if !is_asked || *method != Method::GET || version != Version::HTTP_11 {
        return None;
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return None;
    }
    // 16 bytes in base64.
    headers.get(SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24)
}

/// The server's half of the handshake.
pub(crate) fn accept_key(key: &HeaderValue) -> HeaderValue {
    let accept = derive_accept_key(key.as_bytes());
    HeaderValue::from_str(&accept).expect("base64 is ASCII")
}

/// True if a comma-separated header has this token.
pub(crate) fn names(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests;
