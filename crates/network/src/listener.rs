//! A listening socket and its accept loop; the only place of this crate that spawns tasks.
//!
//! Every shard has a socket of its own on the same port (SO_REUSEPORT), so the kernel spreads
//! connections over shards and a connection never changes its thread. All tasks live on the
//! caller's local runtime. A task that panics ends its own connection and nothing else.

mod intake;

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use worker::entrypoint::Entrypoint;

use crate::connection::Server;
use crate::error::Error;
use crate::limits::HttpLimits;
pub use intake::Intake;

/// A socket that listens; clients queue in its backlog until [`serve`](Listener::serve) runs.
#[derive(Debug)]
pub struct Listener {
    socket: StdListener,
    addr: SocketAddr,
}

/// Runs hyper's HTTP/2 streams on the thread of the connection.
#[derive(Clone)]
pub(crate) struct LocalExecutor;

/// Whether other sockets may bind the same port.
#[derive(Clone, Copy)]
enum Sharing {
    Exclusive,
    Shared,
}

impl Listener {
    /// Listens on `addr`; port 0 takes any free port, see [`local_addr`](Self::local_addr).
    ///
    /// # Errors
    /// A `Config…` error that names the address, the cause and what to do. A port that another
    /// process has is refused even if that process would share it.
    pub fn bind(addr: SocketAddr) -> Result<Listener, Error> {
        if addr.port() != 0 {
            // SO_REUSEPORT would silently share the port with a second process of this user;
            // only a socket without it is told that the port is taken.
            open(addr, Sharing::Exclusive).map_err(|cause| Error::listen(addr, cause))?;
        }
        Listener::shared(addr)
    }

    /// Opens one more socket on the same port, for another shard.
    ///
    /// # Errors
    /// A `Config…` error as from [`bind`](Self::bind).
    pub fn sibling(&self) -> Result<Listener, Error> {
        Listener::shared(self.addr)
    }

    /// Takes a socket over that listens already, from the process that started this one.
    ///
    /// # Errors
    /// What the system says of a socket that is none or does not listen.
    pub fn inherited(socket: StdListener) -> io::Result<Listener> {
        socket.set_nonblocking(true)?;
        let addr = socket.local_addr()?;
        Ok(Listener { socket, addr })
    }

    /// The socket, for a process that is to inherit it. It listens as long as either of the two
    /// is open.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        Ok(self.socket.try_clone()?.into())
    }

    fn shared(addr: SocketAddr) -> Result<Listener, Error> {
        let listen = || {
            let socket = open(addr, Sharing::Shared)?;
            socket.listen(BACKLOG)?;
            let socket = StdListener::from(socket);
            let addr = socket.local_addr()?;
            Ok(Listener { socket, addr })
        };
        listen().map_err(|cause| Error::listen(addr, cause))
    }

    /// The address with the port that was chosen.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves connections until `shutdown` completes, then stops listening, lets requests in
    /// flight finish within the drain timeout and closes idle connections. Must run on a
    /// runtime that takes local tasks. Dropping the future closes everything at once.
    ///
    /// # Errors
    /// [`Error::ConfigListen`] when the loop of this thread cannot take the socket.
    pub async fn serve(
        self,
        entrypoint: Rc<dyn Entrypoint>,
        limits: &HttpLimits,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        let listener = TcpListener::from_std(self.socket)
            .map_err(|cause| Error::ConfigListen { addr: self.addr, cause })?;
        let (close, closing) = watch::channel(false);
        let mut connections = Connections {
            tasks: JoinSet::new(),
            server: Rc::new(Server::new(entrypoint, limits)),
            closing,
            by_address: Rc::default(),
        };
        connections.accept_until(&listener, pin!(shutdown)).await;
        // The kernel has completed these handshakes: their clients count as connected.
        while let Some(Ok((stream, peer))) = listener.accept().now_or_never() {
            connections.start(stream, peer.ip());
        }
        drop(listener);
        // The receivers are the connections; without any there is nobody to tell.
        let _ = close.send(true);
        connections.drain(limits.drain_timeout).await;
        Ok(())
    }
}

/// The connections of one listener and what each of them needs.
struct Connections {
    tasks: JoinSet<()>,
    server: Rc<Server>,
    closing: watch::Receiver<bool>,
    by_address: Rc<RefCell<HashMap<IpAddr, usize>>>,
}

/// One of the connections of an address.
struct Counted {
    address: IpAddr,
    by_address: Rc<RefCell<HashMap<IpAddr, usize>>>,
}

impl Counted {
    /// `None` if the address has as many as it may.
    fn take(connections: &Connections, address: IpAddr) -> Option<Counted> {
        let mut by_address = connections.by_address.borrow_mut();
        let count = by_address.entry(address).or_default();
        if *count >= connections.server.limits.address_connections_max && !address.is_loopback() {
            return None;
        }
        *count += 1;
        Some(Counted { address, by_address: Rc::clone(&connections.by_address) })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut by_address = self.by_address.borrow_mut();
        if let Entry::Occupied(mut count) = by_address.entry(self.address) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

impl Connections {
    async fn accept_until(
        &mut self,
        listener: &TcpListener,
        mut shutdown: impl Future<Output = ()> + Unpin,
    ) {
        let connections_max = self.server.limits.connections_max;
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                Some(ended) = self.tasks.join_next() => report(ended),
                accepted = listener.accept(), if self.tasks.len() < connections_max => {
                    match accepted {
                        Ok((stream, peer)) => self.start(stream, peer.ip()),
                        Err(error) => after_accept_error(&error).await,
                    }
                }
            }
        }
    }

    fn start(&mut self, stream: TcpStream, address: IpAddr) {
        let Some(counted) = Counted::take(self, address) else {
            return tracing::warn!(%address, "too many connections from one address");
        };
        if let Err(error) = stream.set_nodelay(true) {
            // The peer is gone already; the connection finds out by itself.
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let connection = Server::connection(self.server.clone(), stream, self.closing.clone());
        self.tasks.spawn_local(async move {
            connection.await;
            drop(counted);
        });
    }

    async fn drain(&mut self, timeout: Duration) {
        let all_ended = async {
            while let Some(ended) = self.tasks.join_next().await {
                report(ended);
            }
        };
        if tokio::time::timeout(timeout, all_ended).await.is_err() {
            let connections = self.tasks.len();
            tracing::warn!(connections, "cutting connections that did not finish in time");
            self.tasks.shutdown().await;
        }
    }
}

impl<F> hyper::rt::Executor<F> for LocalExecutor
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}

fn open(addr: SocketAddr, sharing: Sharing) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    match sharing {
        Sharing::Exclusive => {}
        Sharing::Shared => socket.set_reuse_port(true)?,
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection ended with a panic");
    }
}

/// An error of one connection is no news; an error of the process (no descriptors, no memory)
/// stays until something is closed, and accepting again at once would spin.
pub(crate) async fn after_accept_error(error: &io::Error) {
    match error.kind() {
        io::ErrorKind::ConnectionAborted
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::Interrupted => {}
        _ => {
            tracing::warn!(%error, "cannot accept connections");
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }
}

/// Connections that may wait to be accepted; Linux cuts it to `net.core.somaxconn`.
const BACKLOG: i32 = 1024;

/// Short against a client's patience, long against a loop that would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
