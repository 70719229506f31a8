//! From our response to hyper's: headers that describe the connection or lie about the length
//! are dropped, the body is streamed as the client reads it.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_EXTENSIONS, UPGRADE,
};
use http::{HeaderMap, Method, StatusCode};
use hyper::body::{Frame, SizeHint};
use serde_json::json;
use worker::body::{Body, BodyError};
use worker::error::{Breach, StartError};
use worker::limit_table;
use worker::message::Response;

use crate::request::remove_connection_headers;
use crate::websocket;

/// A body on its way to the client; hyper pulls it at the client's pace.
pub(crate) struct Outgoing(Body);

impl Outgoing {
    /// A body to be sent.
    pub(crate) fn new(body: Body) -> Outgoing {
        Outgoing(body)
    }
}

/// Prepares the answer to a request with `method`.
pub(crate) fn send(response: Response, method: &Method) -> http::Response<Outgoing> {
    let Response { status, mut headers, body, .. } = response;
    if status.is_informational() {
        let message = format!("the app answered with status {status}, which is no final answer");
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "bad_status", &message);
    }
    remove_connection_headers(&mut headers);
    let bodiless = matches!(
        status,
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
    );
    let body = if bodiless {
        headers.remove(CONTENT_LENGTH);
        Body::Empty
    } else if *method == Method::HEAD {
        // The length a GET would have had: the app's own word for it, or the body's.
        if let Some(length) = body.length().filter(|_| !matches!(body, Body::Empty)) {
            headers.insert(CONTENT_LENGTH, length.into());
        }
        Body::Empty
    } else {
        check_length(&mut headers, &body);
        body
    };
    message(status, headers, body)
}

/// The answer that begins a WebSocket; `key` is what the client sent.
pub(crate) fn switch(mut headers: HeaderMap, key: &HeaderValue) -> http::Response<Outgoing> {
    remove_connection_headers(&mut headers);
    // There are no extensions here, whatever the app says.
    headers.remove(SEC_WEBSOCKET_EXTENSIONS);
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, websocket::accept_key(key));
    message(StatusCode::SWITCHING_PROTOCOLS, headers, Body::Empty)
}

/// The one JSON shape of every error.
pub(crate) fn problem(status: StatusCode, code: &str, text: &str) -> http::Response<Outgoing> {
    problem_with(status, json!({ "code": code, "message": text }))
}

/// An error of a limit says how much that is, what was used, where, and how to raise it.
pub(crate) fn breach(
    status: StatusCode,
    code: &str,
    text: &str,
    breach: Option<&Breach>,
) -> http::Response<Outgoing> {
    let mut error = json!({ "code": code, "message": text });
    if let Some(breach) = breach {
        error["limit"] = json!(breach.limit);
        error["used"] = json!(breach.used);
        if let Some(place) = &breach.place {
            error["where"] = json!(place.lines().collect::<Vec<_>>());
        }
    }
    if let Some(raise) = limit_table::raise(code) {
        error["raise"] = json!(raise);
    }
    problem_with(status, error)
}

/// An error that goes away by itself after some seconds.
pub(crate) fn retry_later(
    status: StatusCode,
    code: &str,
    text: &str,
    seconds: u64,
) -> http::Response<Outgoing> {
    let mut answer = problem(status, code, text);
    answer.headers_mut().insert(RETRY_AFTER, seconds.into());
    answer
}

/// The error of a worker that did not start, with the place in its source.
pub(crate) fn start_failure(code: &str, start: &StartError) -> http::Response<Outgoing> {
    let mut error =
        json!({ "code": code, "message": format!("{}: {}", start.name, start.message) });
    if let Some(at) = &start.at {
        error["at"] = json!({ "module": at.module, "line": at.line, "col": at.column });
    }
    if let Some(frame) = &start.frame {
        error["frame"] = json!(frame);
    }
    problem_with(StatusCode::INTERNAL_SERVER_ERROR, error)
}

fn problem_with(status: StatusCode, error: serde_json::Value) -> http::Response<Outgoing> {
    let Response { status, headers, body, .. } = Response::json(status, &json!({ "error": error }));
    message(status, headers, body)
}

fn message(status: StatusCode, headers: HeaderMap, body: Body) -> http::Response<Outgoing> {
    let mut message = http::Response::new(Outgoing(body));
    *message.status_mut() = status;
    *message.headers_mut() = headers;
    message
}

/// Hyper frames by the body's length where that is known, else by the header: a header that
/// disagrees would let one answer run into the next.
fn check_length(headers: &mut HeaderMap, body: &Body) {
    if body.length().is_some() {
        headers.remove(CONTENT_LENGTH);
        return;
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else { return };
    let usable = lengths.next().is_none()
        && first.as_bytes().iter().all(u8::is_ascii_digit)
        && first.to_str().is_ok_and(|digits| digits.parse::<u64>().is_ok());
    if !usable {
        headers.remove(CONTENT_LENGTH);
    }
}

impl hyper::body::Body for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Body::Empty => Poll::Ready(None),
            Body::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = Body::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Body::Stream(stream) => Pin::new(stream)
                .poll_next(cx)
                .map(|chunk| chunk.map(|chunk| chunk.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Body::Empty => true,
            Body::Full(bytes) => bytes.is_empty(),
            Body::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.0.length().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
