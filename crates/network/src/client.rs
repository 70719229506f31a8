//! `fetch()` outward: HTTP/1.1 and HTTP/2 over TLS or plain, with connections kept per worker.
//!
//! A [`Client`] belongs to one worker on one shard; nothing of it is shared with others, neither
//! connections nor TLS sessions (`spec/security.md` §3.2). Headers that describe the connection
//! or the length are ours, not the worker's. Redirects are followed a room below, each as a
//! request of its own. A request for a WebSocket has a connection to itself ([`upgrade`]).

pub(crate) mod upgrade;

use std::cell::RefCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use http::header::{CONTENT_LENGTH, EXPECT, HOST};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use hyper::body::{Body as _, Incoming};
use hyper_util::client::legacy;
use hyper_util::rt::TokioTimer;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Semaphore;
use url::Url;
use worker::body::{Body, BodyError, BodyStream};
use worker::entrypoint::{Call, Entrypoint, Reply, Serialized};
use worker::error::{Error, Thrown};
use worker::message::{Request, Response};
use worker::outbound::Internet;

use crate::connector::{ConnectError, Connector, Versions};
use crate::egress::Egress;
use crate::limits::{
    ANSWER_HEAD_BYTES_MAX, ANSWER_HEADERS_MAX, ANSWER_TIMEOUT, IDLE_PER_HOST_MAX, IDLE_TIMEOUT,
    SOCKETS_MAX, STARVED_AFTER,
};
use crate::listener::LocalExecutor;
use crate::request::remove_connection_headers;
use crate::response::Outgoing;
pub(crate) use upgrade::exchange;

/// The internet within the operator's rules; opens a [`Client`] for every worker.
pub struct Gateway {
    egress: Egress,
    tls: ClientConfig,
}

/// One worker's way out.
struct Client {
    connector: Connector,
    /// Makes the connections of WebSockets, which are never used for anything else.
    upgrader: Connector,
    sockets: Arc<Semaphore>,
    pool: Rc<RefCell<Pool>>,
}

type Pool = legacy::Client<Connector, Outgoing>;

impl Gateway {
    /// A gateway that trusts the roots that browsers trust, and `more` besides.
    ///
    /// # Errors
    /// When a certificate of `more` cannot be used.
    pub fn new(
        egress: Egress,
        more: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Gateway, rustls::Error> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in more {
            roots.add(certificate)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Gateway { egress, tls })
    }

    /// What it trusts.
    pub(crate) fn tls(&self) -> &ClientConfig {
        &self.tls
    }
}

impl Internet for Gateway {
    fn open(&self) -> Rc<dyn Entrypoint> {
        let sockets = Arc::new(Semaphore::new(SOCKETS_MAX));
        let mut tls = self.tls.clone();
        // A clone shares its sessions, which are this worker's own business.
        tls.resumption = rustls::client::Resumption::default();
        let connect =
            |versions, tls| Connector::new(self.egress, Arc::clone(&sockets), tls, versions);
        let upgrader = connect(Versions::Http1, tls.clone());
        let connector = connect(Versions::All, tls);
        let pool = Rc::new(RefCell::new(pool(&connector)));
        Rc::new(Client { connector, upgrader, sockets, pool })
    }
}

fn pool(connector: &Connector) -> Pool {
    legacy::Client::builder(LocalExecutor)
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
        .http1_max_buf_size(ANSWER_HEAD_BYTES_MAX)
        .http1_max_headers(ANSWER_HEADERS_MAX)
        .http2_max_header_list_size(u32::try_from(ANSWER_HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .build(connector.clone())
}

impl Entrypoint for Client {
    fn fetch(&self, request: Request) -> Reply<Response> {
        let method = request.method.clone();
        let asks_for_socket = request.asks_for_socket();
        let request = match outgoing(request) {
            Ok(request) => request,
            Err(error) => return Box::pin(std::future::ready(Err(error))),
        };
        let patience = self.patience();
        if asks_for_socket {
            let answer = upgrade::ask(self.upgrader.clone(), request);
            return Box::pin(async move { patience.wait(answer).await? });
        }
        let sent = self.pool.borrow().request(request);
        Box::pin(async move {
            let answer = patience.wait(sent).await?;
            let answer = answer.map_err(|error| failure(&error))?;
            Ok(incoming(answer, &method, |chunks| Box::pin(chunks)))
        })
    }

    fn call(&self, _call: Call) -> Reply<Serialized> {
        let message = "The internet does not implement RPC.";
        Box::pin(std::future::ready(Err(Error::AppThrew(Thrown::new("TypeError", message).into()))))
    }
}

impl Client {
    fn patience(&self) -> Patience {
        Patience {
            connector: self.connector.clone(),
            sockets: Arc::clone(&self.sockets),
            pool: Rc::clone(&self.pool),
        }
    }
}

/// Waits for an answer as long as that makes sense.
struct Patience {
    connector: Connector,
    sockets: Arc<Semaphore>,
    pool: Rc<RefCell<Pool>>,
}

impl Patience {
    async fn wait<T>(self, answer: impl Future<Output = T>) -> Result<T, Error> {
        let mut answer = pin!(answer);
        if let Ok(answer) = tokio::time::timeout(STARVED_AFTER, &mut answer).await {
            return Ok(answer);
        }
        if self.sockets.available_permits() == 0 {
            // Idle connections to other hosts keep this one out: close them.
            self.pool.replace(pool(&self.connector));
        }
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, answer).await;
        answer.map_err(|_| network_error("there was no answer in time"))
    }
}

/// Turns our request into hyper's.
pub(crate) fn outgoing(request: Request) -> Result<http::Request<Outgoing>, Error> {
    let Request { method, url, mut headers, body, .. } = request;
    let uri = uri(&url).ok_or_else(|| {
        let message = format!("Fetch API cannot load: {url}");
        Error::AppThrew(Thrown::new("TypeError", message).into())
    })?;
    remove_connection_headers(&mut headers);
    for name in [HOST, CONTENT_LENGTH, EXPECT] {
        headers.remove(name);
    }
    headers.remove("http2-settings");
    let may_lack_body = method == Method::GET || method == Method::HEAD;
    if matches!(body, Body::Empty) && !may_lack_body {
        // Hyper says so for some methods only; the platform says it for all others.
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let mut outgoing = http::Request::new(Outgoing::new(body));
    *outgoing.method_mut() = method;
    *outgoing.uri_mut() = uri;
    *outgoing.headers_mut() = headers;
    Ok(outgoing)
}

/// The URL as it is dialled: parsed once, without user info, which nobody is sent.
fn uri(url: &str) -> Option<Uri> {
    let mut url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    url.set_fragment(None);
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    url.as_str().parse().ok()
}

/// Turns hyper's response into ours; the body is read as its reader asks for it.
fn incoming(
    response: http::Response<Incoming>,
    method: &Method,
    stream: impl FnOnce(Chunks) -> Pin<Box<dyn Stream<Item = Chunk> + Send>>,
) -> Response {
    let (mut parts, body) = response.into_parts();
    remove_connection_headers(&mut parts.headers);
    let bodiless = matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let body = if *method == Method::HEAD || bodiless {
        Body::Empty
    } else if body.is_end_stream() {
        Body::Full(Bytes::new())
    } else {
        let length = body.size_hint().exact();
        Body::Stream(BodyStream::new(stream(Chunks(body)), length))
    };
    let headers: HeaderMap = parts.headers;
    Response { status: parts.status, headers, body, url: None, socket: None }
}

/// The chunks of a body from the network.
struct Chunks(Incoming);

type Chunk = Result<Bytes, BodyError>;

impl Stream for Chunks {
    type Item = Chunk;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let frame = match ready!(Pin::new(&mut self.0).poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    return Poll::Ready(Some(Err(BodyError::Disconnected(error.to_string()))));
                }
            };
            // Trailers have no place in a `Response`.
            if let Ok(chunk) = frame.into_data() {
                return Poll::Ready(Some(Ok(chunk)));
            }
        }
    }
}

/// What user code sees of a request that got no answer.
fn failure(error: &(dyn std::error::Error + 'static)) -> Error {
    let mut cause = Some(error);
    let mut deepest = String::new();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<ConnectError>() {
            return network_error(&error.to_string());
        }
        // What the worker's own stream threw.
        if let Some(BodyError::Failed(message)) = error.downcast_ref() {
            return Error::AppThrew(Thrown::new("Error", message).into());
        }
        deepest = error.to_string();
        cause = error.source();
    }
    network_error(&deepest)
}

fn network_error(why: &str) -> Error {
    let message = format!("Network connection lost. ({why})");
    Error::AppThrew(Thrown::new("Error", message).into())
}

#[cfg(test)]
mod tests;
