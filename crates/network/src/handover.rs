//! The way to another process of the same keeper: a connection is made as a pair of sockets, and
//! one of them is handed over through a channel that both inherited, with a word on what it is for.
//!
//! Neither process may open sockets of its own once it is sandboxed; a pair that is connected from
//! the start reaches nobody else. What waits in the channel waits for the next process if the other
//! one has died. A connection carries one request of HTTP/1.1, so nothing is left to be reused.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::TcpStream as StdStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram as StdChannel;
use std::rc::Rc;

use http::HeaderValue;
use http::header::HOST;
use hyper_util::rt::TokioIo;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    sendmsg, socketpair,
};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixDatagram};
use worker::entrypoint::{Call, Entrypoint, Reply, Serialized};
use worker::error::Error;
use worker::message::{Request, Response};

use crate::client::{exchange, outgoing, upgrade};
use crate::limits::HANDOVER_TIMEOUT;
use crate::response::Outgoing;

/// Where connections are handed over.
#[derive(Clone)]
pub struct Handover(Rc<UnixDatagram>);

/// What is reached by connections for one purpose.
struct Elsewhere {
    handover: Handover,
    purpose: String,
}

/// Both ends of a new channel: for who hands over, and for who takes.
///
/// # Errors
/// When the process has no descriptor left.
pub fn channel() -> io::Result<(StdChannel, StdChannel)> {
    let ends = StdChannel::pair()?;
    ends.0.set_nonblocking(true)?;
    ends.1.set_nonblocking(true)?;
    Ok(ends)
}

impl Handover {
    /// Uses an end of a channel on this thread; inside of its tokio context.
    ///
    /// # Errors
    /// When the loop of this thread cannot take it.
    pub fn new(channel: StdChannel) -> io::Result<Handover> {
        Ok(Handover(Rc::new(UnixDatagram::from_std(channel)?)))
    }

    /// What the other process serves for `purpose`.
    #[must_use]
    pub fn entrypoint(&self, purpose: &str) -> Rc<dyn Entrypoint> {
        Rc::new(Elsewhere { handover: self.clone(), purpose: purpose.into() })
    }

    async fn connect(&self, purpose: &str) -> io::Result<TcpStream> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        let send = self.0.async_io(Interest::WRITABLE, || hand_over(&self.0, purpose, &theirs));
        tokio::time::timeout(HANDOVER_TIMEOUT, send).await??;
        stream(ours)
    }
}

/// A stream socket of whatever family, as the rest of this crate uses them.
pub(crate) fn stream(socket: OwnedFd) -> io::Result<TcpStream> {
    TcpStream::from_std(StdStream::from(socket))
}

fn hand_over(channel: &UnixDatagram, purpose: &str, socket: &OwnedFd) -> io::Result<()> {
    use std::os::fd::AsFd;
    let descriptors = [socket.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    let text = [IoSlice::new(purpose.as_bytes())];
    sendmsg(channel, &text, &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

impl Entrypoint for Elsewhere {
    fn fetch(&self, request: Request) -> Reply<Response> {
        let method = request.method.clone();
        let key = request.asks_for_socket().then(upgrade::key);
        let request = outgoing(request).map(|request| match &key {
            Some(key) => upgrade::handshake(request, key),
            None => addressed(request),
        });
        let (handover, purpose) = (self.handover.clone(), self.purpose.clone());
        Box::pin(async move {
            let stream = handover.connect(&purpose).await.map_err(|error| lost(&error))?;
            exchange(TokioIo::new(stream), request?, &method, key.as_ref())
                .await
                .map_err(|error| lost(&error))
        })
    }

    fn call(&self, _call: Call) -> Reply<Serialized> {
        Box::pin(std::future::ready(Err(Error::bug("a call through a handed connection"))))
    }
}

/// The request with its host in a header and its target without.
pub(crate) fn addressed(request: http::Request<Outgoing>) -> http::Request<Outgoing> {
    let (mut parts, body) = request.into_parts();
    let host = parts.uri.authority().map_or("", |authority| authority.as_str());
    // A host that was dialled is ASCII.
    if let Ok(host) = HeaderValue::from_str(host) {
        parts.headers.insert(HOST, host);
    }
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    parts.uri = target.parse().unwrap_or_default();
    http::Request::from_parts(parts, body)
}

/// The process at the other end ended, or takes nothing.
fn lost(error: &dyn std::fmt::Display) -> Error {
    tracing::warn!(%error, "another process did not answer");
    Error::reset("The app's process ended during the request.")
}
