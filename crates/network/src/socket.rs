//! A client's socket. It sends a small answer in one plain write.
//!
//! hyper hands over head and body as two slices. For a few hundred bytes, copying them together
//! is cheaper than the kernel's path for vectored writes; large ones go as they are.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Room to put an answer together, shared by the connections of one listener.
pub(crate) type Scratch = Rc<RefCell<Vec<u8>>>;

/// The connection's stream.
pub(crate) struct Socket {
    stream: TcpStream,
    scratch: Scratch,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, scratch: Scratch) -> Socket {
        Socket { stream, scratch }
    }

    /// The stream for another protocol than HTTP.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if slices.iter().map(|slice| slice.len()).sum::<usize>() > COPIED_BYTES_MAX {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        }
        let Socket { stream, scratch } = &mut *self;
        let mut scratch = scratch.borrow_mut();
        scratch.clear();
        slices.iter().for_each(|slice| scratch.extend_from_slice(slice));
        Pin::new(stream).poll_write(cx, &scratch)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Up to here, copying costs less than the second slice.
const COPIED_BYTES_MAX: usize = 4096;
