//! One direction of a WebSocket between two places: frames in order, with a count of the bytes
//! that wait, so that a slow reader holds its writer back.
//!
//! A connection is two links crosswise, see [`pair`]. Ends are `Send`: they travel inside a
//! response, also to another shard. An empty link owns no buffer, which keeps idle sockets
//! small. A link ends when its last writer is dropped or [`LinkWriter::cut`] is called; its
//! reader then sees `None`, unless a close frame came before.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::limits::{SOCKET_BUFFER_BYTES_MAX, SOCKET_ROOM_BYTES};

/// What travels over a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A text message, always valid UTF-8.
    Text(Bytes),
    /// A binary message.
    Binary(Bytes),
    /// The last frame of this direction.
    Close(Close),
    /// The peer broke the protocol; nothing follows.
    Failed(Arc<str>),
}

/// Why a direction was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// The code of RFC 6455 §7.4; [`NO_STATUS`] where the sender gave none.
    pub code: u16,
    /// At most 123 bytes.
    pub reason: String,
}

/// Stands for a close frame without a code; it is never on the wire.
pub const NO_STATUS: u16 = 1005;

/// One end of a WebSocket.
pub struct SocketEnd {
    /// What the other end sent.
    pub reader: LinkReader,
    /// What the other end will read.
    pub writer: LinkWriter,
}

/// The sending side of a link; clones are the same link.
pub struct LinkWriter {
    link: Arc<Link>,
}

/// The receiving side of a link.
pub struct LinkReader {
    link: Arc<Link>,
}

/// More waits for the reader than a link holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

#[derive(Default)]
struct Link {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Frame>,
    /// Bytes of the queue and of frames that are announced.
    bytes: usize,
    writers: usize,
    is_cut: bool,
    is_deaf: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// The two ends of a new WebSocket.
#[must_use]
pub fn pair() -> (SocketEnd, SocketEnd) {
    let (a_writer, b_reader) = link();
    let (b_writer, a_reader) = link();
    let a = SocketEnd { reader: a_reader, writer: a_writer };
    (a, SocketEnd { reader: b_reader, writer: b_writer })
}

fn link() -> (LinkWriter, LinkReader) {
    let link = Arc::new(Link::default());
    link.state().writers = 1;
    (LinkWriter { link: Arc::clone(&link) }, LinkReader { link })
}

impl Link {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_ended(&self) -> bool {
        self.is_cut || self.writers == 0
    }
}

impl LinkWriter {
    /// Announces a frame of this size, which [`push`](Self::push) will bring.
    ///
    /// # Errors
    /// [`Full`] when too much waits already; one frame of any size always fits.
    pub fn announce(&self, bytes: usize) -> Result<(), Full> {
        let mut state = self.link.state();
        if state.bytes > 0 && state.bytes + bytes > SOCKET_BUFFER_BYTES_MAX {
            return Err(Full);
        }
        state.bytes += bytes;
        Ok(())
    }

    /// Sends a frame that was announced. A reader that is gone has no use for it.
    pub fn push(&self, frame: Frame) {
        let mut state = self.link.state();
        if state.is_cut || state.is_deaf {
            state.bytes = state.bytes.saturating_sub(frame.len());
            return;
        }
        state.queue.push_back(frame);
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// As [`announce`](Self::announce).
    pub fn send(&self, frame: Frame) -> Result<(), Full> {
        self.announce(frame.len())?;
        self.push(frame);
        Ok(())
    }

    /// Waits until the reader has taken most of what was sent, or is gone.
    pub async fn room(&self) {
        poll_fn(|cx| {
            let mut state = self.link.state();
            if state.bytes <= SOCKET_ROOM_BYTES || state.is_deaf || state.is_cut {
                return Poll::Ready(());
            }
            state.writer = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Ends the link at once: frames that wait are lost, and the reader sees the end.
    pub fn cut(&self) {
        let mut state = self.link.state();
        state.is_cut = true;
        state.queue = VecDeque::new();
        state.bytes = 0;
        let wakers = [state.reader.take(), state.writer.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// Bytes that wait for the reader.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.link.state().bytes
    }
}

impl LinkReader {
    /// The next frame; `None` once the link has ended.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        let mut state = self.link.state();
        let Some(frame) = state.queue.pop_front() else {
            if state.is_ended() {
                return Poll::Ready(None);
            }
            match &mut state.reader {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            return Poll::Pending;
        };
        if state.queue.is_empty() {
            // Idle sockets are many, and a burst must not cost memory for ever.
            state.queue = VecDeque::new();
        }
        state.bytes = state.bytes.saturating_sub(frame.len());
        let writer = if state.bytes <= SOCKET_ROOM_BYTES { state.writer.take() } else { None };
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
        Poll::Ready(Some(frame))
    }

    /// Waits for the next frame; `None` once the link has ended. Cancelling loses nothing.
    pub async fn next(&mut self) -> Option<Frame> {
        poll_fn(|cx| self.poll_next(cx)).await
    }
}

impl Frame {
    /// Bytes of its payload.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Frame::Text(bytes) | Frame::Binary(bytes) => bytes.len(),
            Frame::Close(_) | Frame::Failed(_) => 0,
        }
    }

    /// True if it carries no payload.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Clone for LinkWriter {
    fn clone(&self) -> LinkWriter {
        self.link.state().writers += 1;
        LinkWriter { link: Arc::clone(&self.link) }
    }
}

impl Drop for LinkWriter {
    fn drop(&mut self) {
        let mut state = self.link.state();
        state.writers -= 1;
        let reader = if state.writers == 0 { state.reader.take() } else { None };
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl Drop for LinkReader {
    fn drop(&mut self) {
        let mut state = self.link.state();
        state.is_deaf = true;
        state.queue = VecDeque::new();
        state.bytes = 0;
        let writer = state.writer.take();
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;

    use super::*;

    fn next(reader: &mut LinkReader) -> Poll<Option<Frame>> {
        reader.poll_next(&mut Context::from_waker(Waker::noop()))
    }

    fn text(text: &'static str) -> Frame {
        Frame::Text(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn frames_cross_in_order_and_the_end_comes_last() {
        let (a, mut b) = pair();
        assert!(next(&mut b.reader).is_pending());
        let also_a = a.writer.clone();
        a.writer.send(text("one")).unwrap();
        also_a.send(text("two")).unwrap();
        drop(a);
        assert_eq!(next(&mut b.reader), Poll::Ready(Some(text("one"))));
        assert_eq!(next(&mut b.reader), Poll::Ready(Some(text("two"))));
        assert!(next(&mut b.reader).is_pending(), "one writer is left");
        drop(also_a);
        assert_eq!(next(&mut b.reader), Poll::Ready(None));
    }

    #[test]
    fn a_link_that_is_cut_loses_what_waited() {
        let (a, mut b) = pair();
        a.writer.send(text("one")).unwrap();
        a.writer.cut();
        a.writer.send(text("two")).unwrap();
        assert_eq!(next(&mut b.reader), Poll::Ready(None));
        assert_eq!(a.writer.waiting_bytes(), 0);
    }

    #[test]
    fn a_writer_waits_for_its_reader() {
        let (a, mut b) = pair();
        let frame = Frame::Binary(vec![0; SOCKET_ROOM_BYTES].into());
        a.writer.send(frame.clone()).unwrap();
        a.writer.send(frame).unwrap();
        let mut room = pin!(a.writer.room());
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(room.as_mut().poll(cx).is_pending());
        assert!(next(&mut b.reader).is_ready());
        assert!(room.as_mut().poll(cx).is_ready());
    }

    #[test]
    fn what_a_reader_never_takes_is_bounded() {
        let (a, _b) = pair();
        let largest = Frame::Binary(vec![0; SOCKET_BUFFER_BYTES_MAX].into());
        a.writer.send(text("x")).unwrap();
        assert_eq!(a.writer.send(largest), Err(Full));
        let (a, _b) = pair();
        let larger = Frame::Binary(vec![0; SOCKET_BUFFER_BYTES_MAX + 1].into());
        a.writer.send(larger).unwrap();
        assert_eq!(a.writer.send(text("x")), Err(Full));
    }
}
