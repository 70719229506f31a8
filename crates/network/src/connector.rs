//! The one way out: resolves a name, filters what it resolves to, and dials what passed
//! (`spec/security.md` §3.2).
//!
//! Nobody resolves a second time, so a name cannot point elsewhere between the check and the
//! connection. Proxy variables of the environment are not looked at.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use socket2::SockRef;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_service::Service;

use crate::egress::{Egress, is_port_allowed};
use crate::limits::CONNECT_TIMEOUT;
use crate::websocket::keep_alive;

/// Makes connections for one worker, with TLS where the URL says `https`.
#[derive(Clone)]
pub(crate) struct Connector {
    https: HttpsConnector<Dialler>,
}

/// What a connection with TLS offers to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Versions {
    /// HTTP/2 where the server can.
    All,
    /// HTTP/1.1, where WebSockets begin.
    Http1,
}

/// Makes the TCP connections.
#[derive(Clone)]
pub(crate) struct Dialler {
    egress: Egress,
    sockets: Arc<Semaphore>,
}

/// A connection; it counts against its worker's limit until it is closed.
pub(crate) struct Socket {
    stream: TokioIo<TcpStream>,
    _permit: OwnedSemaphorePermit,
}

/// Why no connection was made. The texts are for the author of the worker.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("port {0} cannot be reached from a worker")]
    Port(u16),
    #[error("\"{0}\" is no public host name, and workers may reach public addresses only")]
    LocalName(String),
    #[error("{0} has no public address, and workers may reach public addresses only")]
    Private(String),
    #[error("the name {0} cannot be resolved")]
    Unknown(String),
    #[error("{host} cannot be reached: {cause}")]
    Unreachable { host: String, cause: io::Error },
    #[error("{0} did not accept a connection in time")]
    Timeout(String),
}

type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Connector {
    pub fn new(
        egress: Egress,
        sockets: Arc<Semaphore>,
        tls: ClientConfig,
        versions: Versions,
    ) -> Connector {
        let dialler = Dialler { egress, sockets };
        let builder = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls);
        let https = match versions {
            Versions::All => builder.https_or_http().enable_all_versions().wrap_connector(dialler),
            Versions::Http1 => builder.https_or_http().enable_http1().wrap_connector(dialler),
        };
        Connector { https }
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<Socket>;
    type Error = BoxError;
    type Future = Connecting<MaybeHttpsStream<Socket>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.https.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let host = uri.host().unwrap_or_default().to_owned();
        let connecting = self.https.call(uri);
        Box::pin(async move {
            match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
                Ok(connected) => connected,
                Err(_) => Err(ConnectError::Timeout(host).into()),
            }
        })
    }
}

impl Service<Uri> for Dialler {
    type Response = Socket;
    type Error = BoxError;
    type Future = Connecting<Socket>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dialler = self.clone();
        Box::pin(async move { Ok(dialler.dial(&uri).await?) })
    }
}

impl Dialler {
    async fn dial(self, uri: &Uri) -> Result<Socket, ConnectError> {
        let host = uri.host().unwrap_or_default();
        let secure = uri.scheme() == Some(&http::uri::Scheme::HTTPS);
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        if !is_port_allowed(port) {
            return Err(ConnectError::Port(port));
        }
        let addresses = self.resolve(host, port).await?;
        let permit = self.sockets.acquire_owned().await;
        let permit = permit.expect("nobody closes the semaphore");
        let mut failure = io::ErrorKind::AddrNotAvailable.into();
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // Without it the last packet of every request may wait for an answer.
                    let _ = stream.set_nodelay(true);
                    keep_alive(&SockRef::from(&stream));
                    return Ok(Socket { stream: TokioIo::new(stream), _permit: permit });
                }
                Err(error) => failure = error,
            }
        }
        Err(ConnectError::Unreachable { host: host.to_owned(), cause: failure })
    }

    /// The addresses of a host that may be reached; never empty.
    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let found = match literal {
            Ok(ip) => vec![SocketAddr::new(ip, port)],
            Err(_) if !self.egress.allows_name(host) => {
                return Err(ConnectError::LocalName(host.to_owned()));
            }
            Err(_) => match lookup_host((host, port)).await {
                Ok(found) => found.collect(),
                Err(_) => return Err(ConnectError::Unknown(host.to_owned())),
            },
        };
        let allowed: Vec<_> = found.into_iter().filter(|addr| self.egress.allows(*addr)).collect();
        match allowed.is_empty() {
            true => Err(ConnectError::Private(host.to_owned())),
            false => Ok(allowed),
        }
    }
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl Write for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }
}

impl Connection for Socket {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
