//! A `fetch` that asks for a WebSocket (RFC 6455 §4.1): its handshake, on a connection that is
//! used for nothing else.
//!
//! Any other answer than 101 is an ordinary response, whose body comes through that connection.
//! After 101 a session carries frames between the connection and the end that the worker gets.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use http::header::{
    CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use hyper::client::conn::http1;
use hyper::rt::{Executor, Read, Write};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use tower_service::Service;
use tungstenite::handshake::client::generate_key;
use worker::body::Body;
use worker::error::Error;
use worker::link;
use worker::message::Response;

use super::{Chunk, Chunks, failure, incoming, network_error};
use crate::connector::{Connector, Socket};
use crate::handover::addressed;
use crate::limits::{ANSWER_HEAD_BYTES_MAX, ANSWER_HEADERS_MAX};
use crate::listener::LocalExecutor;
use crate::request::remove_connection_headers;
use crate::response::Outgoing;
use crate::websocket::{self, Dialled, Role};

type Connection<S> = http1::Connection<S, Outgoing>;

/// Asks for a WebSocket.
pub(super) async fn ask(
    mut connector: Connector,
    request: http::Request<Outgoing>,
) -> Result<Response, Error> {
    let stream: MaybeHttpsStream<Socket> =
        connector.call(request.uri().clone()).await.map_err(|error| failure(&*error))?;
    let key = key();
    exchange(stream, handshake(request, &key), &Method::GET, Some(&key)).await
}

/// The key of a handshake.
pub(crate) fn key() -> HeaderValue {
    HeaderValue::from_str(&generate_key()).expect("base64 is ASCII")
}

/// Sends a request over a connection of its own. With the `key` of a handshake it may become a
/// WebSocket.
pub(crate) async fn exchange<S: Read + Write + Unpin + Send + 'static>(
    stream: S,
    request: http::Request<Outgoing>,
    method: &Method,
    key: Option<&HeaderValue>,
) -> Result<Response, Error> {
    let (mut sender, mut connection) = http1::Builder::new()
        .max_buf_size(ANSWER_HEAD_BYTES_MAX)
        .max_headers(ANSWER_HEADERS_MAX)
        .handshake(stream)
        .await
        .map_err(|error| failure(&error))?;
    let answer = {
        let mut sent = std::pin::pin!(sender.send_request(request));
        // The connection ends with a switch of protocols, and what it read until then stays.
        poll_fn(|cx| {
            let ended = connection.poll_without_shutdown(cx);
            match (sent.as_mut().poll(cx), ended) {
                (Poll::Ready(answer), _) => Poll::Ready(answer),
                (Poll::Pending, Poll::Ready(Err(error))) => Poll::Ready(Err(error)),
                (Poll::Pending, _) => Poll::Pending,
            }
        })
        .await
        .map_err(|error| failure(&error))?
    };
    if let (StatusCode::SWITCHING_PROTOCOLS, Some(key)) = (answer.status(), key) {
        return switched(answer.headers(), connection, key);
    }
    let mut response = incoming(answer, method, |chunks| {
        Box::pin(Driven { connection: Some(connection), chunks })
    });
    response.headers.remove(UPGRADE);
    Ok(response)
}

/// The request as it is sent: its target without the host, and our half of the handshake.
pub(crate) fn handshake(
    request: http::Request<Outgoing>,
    key: &HeaderValue,
) -> http::Request<Outgoing> {
    let (parts, _) = addressed(request).into_parts();
    let mut request = http::Request::from_parts(parts, Outgoing::new(Body::Empty));
    let headers = request.headers_mut();
    for name in [CONTENT_LENGTH, SEC_WEBSOCKET_EXTENSIONS] {
        headers.remove(name);
    }
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(SEC_WEBSOCKET_KEY, key.clone());
    request
}

/// The server switched protocols: frames can flow.
fn switched<S: Read + Write + Unpin + Send + 'static>(
    headers: &HeaderMap,
    connection: Connection<S>,
    key: &HeaderValue,
) -> Result<Response, Error> {
    let agrees = websocket::names(headers, UPGRADE, "websocket")
        && headers.get(SEC_WEBSOCKET_ACCEPT) == Some(&websocket::accept_key(key))
        && !headers.contains_key(SEC_WEBSOCKET_EXTENSIONS);
    if !agrees {
        return Err(network_error("the server's handshake for a WebSocket is wrong"));
    }
    let parts = connection.into_parts();
    let (ours, theirs) = link::pair();
    let wire = Dialled::new(TokioIo::new(parts.io));
    // The worker's end is dropped with the worker, which ends the session too.
    let closing = std::future::pending();
    LocalExecutor.execute(websocket::run(wire, Role::Client, parts.read_buf, ours, closing));
    let mut headers = headers.clone();
    remove_connection_headers(&mut headers);
    let status = StatusCode::SWITCHING_PROTOCOLS;
    Ok(Response { status, headers, body: Body::Empty, url: None, socket: Some(theirs) })
}

/// A body, and the connection that brings it.
struct Driven<S: Read + Write + Unpin + Send + 'static> {
    connection: Option<Connection<S>>,
    chunks: Chunks,
}

impl<S: Read + Write + Unpin + Send + 'static> Stream for Driven<S> {
    type Item = Chunk;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // What goes wrong with it, the body tells as well.
        if let Some(connection) = &mut self.connection
            && Pin::new(connection).poll(cx).is_ready()
        {
            self.connection = None;
        }
        Pin::new(&mut self.chunks).poll_next(cx)
    }
}
