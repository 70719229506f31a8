//! A listening socket and its accept loop; the only place of this crate that spawns tasks.
//!
//! All shards accept from one queue, so that one which does not come back from JavaScript keeps no
//! new connection from being served; a connection never changes its thread. All tasks live on the
//! caller's local runtime. A task that panics ends its own connection and nothing else.

mod balance;
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
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use worker::entrypoint::Entrypoint;

use crate::connection::Server;
use crate::error::Error;
use crate::limits::HttpLimits;
use balance::Balance;
pub use intake::Intake;

/// A socket that listens; clients queue in its backlog until [`serve`](Listener::serve) runs.
#[derive(Debug)]
pub struct Listener {
    socket: StdListener,
    addr: SocketAddr,
    balance: Balance,
}

/// Runs hyper's HTTP/2 streams on the thread of the connection.
#[derive(Clone)]
pub(crate) struct LocalExecutor;

impl Listener {
    /// Listens on `addr`; port 0 takes any free port, see [`local_addr`](Self::local_addr).
    ///
    /// # Errors
    /// A `Config…` error that names the address, the cause and what to do.
    pub fn bind(addr: SocketAddr) -> Result<Listener, Error> {
        let listen = || {
            let socket = open(addr)?;
            socket.listen(BACKLOG)?;
            let socket = StdListener::from(socket);
            let addr = socket.local_addr()?;
            Ok(Listener::new(socket, addr))
        };
        listen().map_err(|cause| Error::listen(addr, cause))
    }

    /// One more handle of the same socket, for another shard.
    ///
    /// # Errors
    /// A `Config…` error when the process has no descriptor left.
    pub fn sibling(&self) -> Result<Listener, Error> {
        let fail = |cause| Error::listen(self.addr, cause);
        let socket = self.socket.try_clone().map_err(fail)?;
        Ok(Listener::new(socket, self.addr))
    }

    /// Has handles of one socket spread its connections evenly.
    pub fn spread(listeners: &mut [Listener]) {
        let balances = Balance::of(listeners.len());
        for (listener, balance) in listeners.iter_mut().zip(balances) {
            listener.balance = balance;
        }
    }

    fn new(socket: StdListener, addr: SocketAddr) -> Listener {
        let balance = Balance::alone();
        Listener { socket, addr, balance }
    }

    /// Takes a socket over that listens already, from the process that started this one.
    ///
    /// # Errors
    /// What the system says of a socket that is none or does not listen.
    pub fn inherited(socket: StdListener) -> io::Result<Listener> {
        socket.set_nonblocking(true)?;
        let addr = socket.local_addr()?;
        Ok(Listener::new(socket, addr))
    }

    /// The socket, for a process that is to inherit it. It listens as long as either of the two
    /// is open.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        Ok(self.socket.try_clone()?.into())
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
        connections.accept_until(&listener, self.balance, pin!(shutdown)).await;
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
        mut balance: Balance,
        mut shutdown: impl Future<Output = ()> + Unpin,
    ) {
        let connections_max = self.server.limits.connections_max;
        loop {
            balance.note(self.tasks.len());
            let pause = balance.pause(Instant::now());
            let accept = async {
                if let Some(pause) = pause {
                    tokio::time::sleep(pause).await;
                    return None;
                }
                Some(listener.accept().await)
            };
            tokio::select! {
                () = &mut shutdown => return,
                Some(ended) = self.tasks.join_next() => report(ended),
                accepted = accept, if self.tasks.len() < connections_max => {
                    match accepted {
                        Some(Ok((stream, peer))) => {
                            balance.accepted();
                            self.start(stream, peer.ip());
                        }
                        Some(Err(error)) => after_accept_error(&error).await,
                        None => {}
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

fn open(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
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
const BACKLOG: i32 = 4096;

/// Short against a client's patience, long against a loop that would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
