//! Connections that another process hands over ([`crate::handover`]).

use std::future::Future;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram as StdChannel;
use std::pin::pin;
use std::rc::Rc;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tokio::sync::watch;
use tokio::task::JoinSet;
use worker::entrypoint::Entrypoint;

use super::{Connections, report};
use crate::connection::Server;
use crate::handover;
use crate::limits::HttpLimits;

/// The end of a channel that takes connections.
pub struct Intake(StdChannel);

impl Intake {
    /// Takes from this end.
    #[must_use]
    pub fn new(channel: StdChannel) -> Intake {
        Intake(channel)
    }

    /// Serves what is handed over with what `resolve` finds for its purpose, as
    /// [`Listener::serve`](super::Listener::serve).
    ///
    /// # Errors
    /// When the loop of this thread cannot take the channel.
    pub async fn serve(
        self,
        resolve: impl Fn(&str) -> Rc<dyn Entrypoint>,
        limits: &HttpLimits,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let channel = UnixDatagram::from_std(self.0)?;
        let (close, closing) = watch::channel(false);
        let mut shutdown = pin!(shutdown);
        let mut connections = Connections::new(Server::new(resolve(""), limits), closing);
        loop {
            let taken = channel.async_io(Interest::READABLE, || take(&channel));
            tokio::select! {
                () = &mut shutdown => break,
                Some(ended) = connections.tasks.join_next() => report(ended),
                taken = taken => match taken {
                    Ok(Some((socket, purpose))) => {
                        connections.server = Rc::new(Server::new(resolve(&purpose), limits));
                        match handover::stream(socket) {
                            Ok(stream) => connections.start(stream, PEER),
                            Err(error) => tracing::warn!(%error, "a handed connection is none"),
                        }
                    }
                    Ok(None) => tracing::warn!("a message without a connection"),
                    Err(error) => super::after_accept_error(&error).await,
                }
            }
        }
        // The receivers are the connections; without any there is nobody to tell.
        let _ = close.send(true);
        connections.drain(limits.drain_timeout).await;
        Ok(())
    }
}

impl Connections {
    fn new(server: Server, closing: watch::Receiver<bool>) -> Connections {
        let (tasks, by_address) = (JoinSet::new(), Rc::default());
        Connections { tasks, server: Rc::new(server), closing, by_address }
    }
}

/// One connection and what it is for.
fn take(channel: &UnixDatagram) -> io::Result<Option<(OwnedFd, String)>> {
    let mut text = [0; PURPOSE_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let length = recvmsg(channel, &mut [IoSliceMut::new(&mut text)], &mut control, flags)?.bytes;
    let socket = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let purpose = String::from_utf8_lossy(&text[..length.min(PURPOSE_BYTES_MAX)]).into_owned();
    Ok(socket.map(|socket| (socket, purpose)))
}

/// Who hands over limits its clients itself.
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Twice what the longest name of an app takes.
const PURPOSE_BYTES_MAX: usize = 128;
