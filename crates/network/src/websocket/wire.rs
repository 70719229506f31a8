//! The bytes below a session: a client's plain connection, or one that a worker opened, perhaps
//! with TLS.
//!
//! Both halves of a session share the connection within one task, so each call borrows it only
//! while it is polled.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::BytesMut;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;

/// A connection as a session uses it.
pub(crate) trait Wire {
    /// Reads what has come, at least one byte; 0 at the end. `missing` is what is known to come.
    async fn fill(&self, buffer: &mut BytesMut, missing: usize) -> io::Result<usize>;

    /// Writes all of it.
    async fn write(&self, bytes: &[u8]) -> io::Result<()>;

    /// Says that nothing more will be written.
    async fn end(&self) -> io::Result<()>;
}

/// The connection of a client of ours.
pub(crate) struct Accepted(TcpStream);

/// A connection that a worker opened.
pub(crate) struct Dialled<S>(RefCell<S>);

impl Accepted {
    pub(crate) fn new(stream: TcpStream) -> Accepted {
        keep_alive(&SockRef::from(&stream));
        Accepted(stream)
    }
}

impl<S> Dialled<S> {
    pub(crate) fn new(stream: S) -> Dialled<S> {
        Dialled(RefCell::new(stream))
    }
}

impl Wire for Accepted {
    async fn fill(&self, buffer: &mut BytesMut, missing: usize) -> io::Result<usize> {
        loop {
            self.0.readable().await?;
            reserve(buffer, missing);
            match self.0.try_read_buf(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }

    async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.0.try_write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.0.writable().await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn end(&self) -> io::Result<()> {
        SockRef::from(&self.0).shutdown(std::net::Shutdown::Write)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire for Dialled<S> {
    async fn fill(&self, buffer: &mut BytesMut, missing: usize) -> io::Result<usize> {
        reserve(buffer, missing);
        // The future of one read keeps nothing between two polls.
        poll_fn(|cx| pin!(self.0.borrow_mut().read_buf(buffer)).poll(cx)).await
    }

    async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = poll_fn(|cx| {
                let mut stream = self.0.borrow_mut();
                Pin::new(&mut *stream).poll_write(cx, bytes)
            });
            match written.await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => bytes = &bytes[written..],
            }
        }
        poll_fn(|cx| Pin::new(&mut *self.0.borrow_mut()).poll_flush(cx)).await
    }

    async fn end(&self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut *self.0.borrow_mut()).poll_shutdown(cx)).await
    }
}

/// No more at once than what a peer must really send to fill it.
fn reserve(buffer: &mut BytesMut, missing: usize) {
    buffer.reserve(missing.clamp(READ_BYTES_MIN, READ_BYTES_MAX));
}

/// Lets the kernel find out that a silent peer is gone.
pub(crate) fn keep_alive(socket: &SockRef<'_>) {
    let probes = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
    if let Err(error) = socket.set_tcp_keepalive(&probes) {
        tracing::debug!(%error, "cannot set TCP keep-alive");
    }
}

/// A peer that is silent for so long is probed; after nine lost probes, Linux gives up.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(15);

/// The room for one read: a page for small messages, 64 KiB for the rest of a large one.
const READ_BYTES_MIN: usize = 4 << 10;
const READ_BYTES_MAX: usize = 64 << 10;
