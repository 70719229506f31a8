//! One connection: finds out its protocol, lets hyper speak it, and turns every request into a
//! `fetch` event.
//!
//! HTTP/1.1 and HTTP/2 by prior knowledge share the port: the first bytes decide. Failures of
//! events become HTTP statuses here and nowhere else.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use http::StatusCode;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::watch;
use worker::entrypoint::Entrypoint;
use worker::error::Error;
use worker::link::SocketEnd;
use worker::message::Response;

use crate::limits::{
    CONNECTION_WINDOW_BYTES, HttpLimits, LOCAL_RESETS_MAX, PENDING_RESETS_MAX,
    STREAM_SEND_BYTES_MAX, STREAM_WINDOW_BYTES,
};
use crate::listener::LocalExecutor;
use crate::request::{self, Refusal};
use crate::response::{self, Outgoing};
use crate::socket::{Scratch, Socket};
use crate::websocket::{self, Accepted, Role};

/// What all connections of one listener share.
pub(crate) struct Server {
    entrypoint: Rc<dyn Entrypoint>,
    pub(crate) limits: HttpLimits,
    http1: http1::Builder,
    http2: http2::Builder<LocalExecutor>,
    scratch: Scratch,
}

enum Version {
    Http1,
    Http2,
}

impl Server {
    pub(crate) fn new(entrypoint: Rc<dyn Entrypoint>, limits: &HttpLimits) -> Server {
        let mut http1 = http1::Builder::new();
        // Not `pipeline_flush`: it lifts the bound on what hyper buffers of a response body.
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_read_timeout)
            .max_buf_size(limits.header_bytes_max);
        let mut http2 = http2::Builder::new(LocalExecutor);
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams_max)
            .max_header_list_size(u32::try_from(limits.header_bytes_max).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
            .max_local_error_reset_streams(LOCAL_RESETS_MAX)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_send_buf_size(STREAM_SEND_BYTES_MAX)
            .keep_alive_interval(limits.header_read_timeout);
        Server { entrypoint, limits: limits.clone(), http1, http2, scratch: Scratch::default() }
    }

    /// Serves one connection until either side closes it, or, once `closing` holds, until its
    /// requests in flight are answered.
    pub(crate) async fn connection(
        server: Rc<Server>,
        stream: TcpStream,
        mut closing: watch::Receiver<bool>,
    ) {
        let version = tokio::select! {
            version = sniff(&stream, server.limits.header_read_timeout) => version,
            // Its client may have sent a request already, which nobody else would answer.
            () = closed_for(&mut closing, FIRST_REQUEST_PATIENCE) => return,
        };
        let builders = server.clone();
        let accepted = Rc::new(RefCell::new(None));
        let switched = Rc::clone(&accepted);
        let service = service_fn(move |request| answer(server.clone(), accepted.clone(), request));
        let io = TokioIo::new(Socket::new(stream, Rc::clone(&builders.scratch)));
        let ended = match version {
            Ok(Version::Http1) => {
                // Boxed, because a WebSocket stays far longer and needs less.
                let mut connection = Box::new(builders.http1.serve_connection(io, service));
                let end = http1::Connection::graceful_shutdown;
                let ended = drive(Pin::new(connection.as_mut()), &mut closing, end).await;
                if let Some(end) = switched.take() {
                    let parts = connection.into_parts();
                    drop(builders);
                    let stream = parts.io.into_inner().into_stream();
                    let wire = Accepted::new(stream);
                    let closed = async move {
                        // A sender that is gone means that the listener is gone: close as well.
                        let _ = closing.wait_for(|closing| *closing).await;
                    };
                    return websocket::run(wire, Role::Server, parts.read_buf, end, closed).await;
                }
                ended
            }
            Ok(Version::Http2) => {
                let mut connection = Box::pin(builders.http2.serve_connection(io, service));
                let end = http2::Connection::graceful_shutdown;
                drive(connection.as_mut(), &mut closing, end).await
            }
            Err(error) => return tracing::trace!(%error, "connection without a request"),
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended early");
        }
    }
}

/// Looks at the first bytes without taking them. HTTP/2 starts with a fixed preface whose
/// first four bytes no HTTP/1 method has.
async fn sniff(stream: &TcpStream, timeout: Duration) -> io::Result<Version> {
    let look = async {
        let mut first = [0; HTTP2_MARK.len()];
        loop {
            let seen = stream.peek(&mut first).await?;
            if seen == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if first[..seen] != HTTP2_MARK[..seen] {
                return Ok(Version::Http1);
            }
            if seen == HTTP2_MARK.len() {
                return Ok(Version::Http2);
            }
            // The socket stays readable while the rest is missing, so nothing would wake us.
            tokio::time::sleep(SNIFF_PAUSE).await;
        }
    };
    tokio::time::timeout(timeout, look).await.map_err(io::Error::from)?
}

/// Ends some time after the listener closed.
async fn closed_for(closing: &mut watch::Receiver<bool>, patience: Duration) {
    closed(closing).await;
    tokio::time::sleep(patience).await;
}

async fn closed(closing: &mut watch::Receiver<bool>) {
    // A sender that is gone means that the listener is gone: close as well.
    let _ = closing.wait_for(|closing| *closing).await;
}

async fn drive<C>(
    mut connection: Pin<&mut C>,
    closing: &mut watch::Receiver<bool>,
    close_gracefully: fn(Pin<&mut C>),
) -> hyper::Result<()>
where
    C: Future<Output = hyper::Result<()>>,
{
    tokio::select! {
        biased;
        ended = connection.as_mut() => return ended,
        () = closed(closing) => {}
    }
    close_gracefully(connection.as_mut());
    connection.await
}

async fn answer(
    server: Rc<Server>,
    accepted: Rc<RefCell<Option<SocketEnd>>>,
    request: http::Request<Incoming>,
) -> Result<http::Response<Outgoing>, Infallible> {
    let method = request.method().clone();
    let key = websocket::key(request.method(), request.version(), request.headers()).cloned();
    let (request, overflow) = match request::receive(request, &server.limits) {
        Ok(received) => received,
        Err(refusal) => return Ok(refuse(&refusal)),
    };
    let answered = server.entrypoint.fetch(request).await;
    Ok(match answered {
        Ok(Response { headers, socket: Some(end), .. }) => match key {
            Some(key) => {
                *accepted.borrow_mut() = Some(end);
                response::switch(headers, &key)
            }
            None => fail(&Error::bug("a WebSocket for a client that asked for none")),
        },
        Ok(response) => response::send(response, &method),
        // The event failed because its body broke off here; the client is to blame.
        Err(_) if overflow.happened() => {
            refuse(&Refusal::BodyTooLarge { limit_bytes: server.limits.body_bytes_max })
        }
        Err(error) => fail(&error),
    })
}

fn refuse(refusal: &Refusal) -> http::Response<Outgoing> {
    response::problem(refusal.status(), refusal.code(), &refusal.to_string())
}

/// Answers for an event that failed; the one mapping of [`Error`] to HTTP.
fn fail(error: &Error) -> http::Response<Outgoing> {
    let code = error.code();
    let status = match error {
        // A worker that passes on why another one failed does not change what that means.
        Error::AppThrew(thrown) if thrown.code.is_some_and(|code| TRY_LATER.contains(&code)) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Error::AppThrew(thrown) if thrown.code == Some("storage_full") => {
            StatusCode::INSUFFICIENT_STORAGE
        }
        Error::AppThrew(_) | Error::AppCode(_) | Error::AppNoHandler(_) => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        Error::AppStart(start) => return response::start_failure(code, start),
        Error::AppCpu(_) | Error::AppMemory(_) | Error::AppSubRequests(_) | Error::AppWall(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Error::OverloadQueue { .. }
        | Error::OverloadIsolates { .. }
        | Error::OverloadActors { .. }
        | Error::OverloadShutdown => StatusCode::SERVICE_UNAVAILABLE,
        Error::OverloadQuarantine { retry_after_s } => {
            let text = error.to_string();
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return response::retry_later(status, code, &text, *retry_after_s);
        }
        Error::BrokenReset(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::BrokenStorage(_) => {
            tracing::error!(code, %error, "storage failed");
            StatusCode::INTERNAL_SERVER_ERROR
        }
        Error::BrokenFull(_) => {
            tracing::error!(code, %error, "storage is full");
            StatusCode::INSUFFICIENT_STORAGE
        }
        Error::Bug(_) => {
            tracing::error!(code, %error, "request failed");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    response::breach(status, code, &error.to_string(), error.breach().as_deref())
}

/// The codes of errors that are answered with 503.
const TRY_LATER: [&str; 8] = [
    "cpu_limit",
    "memory_limit",
    "overloaded",
    "quarantined",
    "reset",
    "shutting_down",
    "subrequest_limit",
    "wall_limit",
];

/// The start of HTTP/2's connection preface (RFC 9113 §3.4) that tells it from HTTP/1.
const HTTP2_MARK: [u8; 4] = *b"PRI ";

/// How long a connection that was made just before the end may take to bring its first bytes.
const FIRST_REQUEST_PATIENCE: Duration = Duration::from_millis(500);

/// How often a client that sends its first four bytes one by one is looked at.
const SNIFF_PAUSE: Duration = Duration::from_millis(5);
