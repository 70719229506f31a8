//! Message bodies: nothing, bytes in memory, or a stream that is pulled chunk by chunk.
//!
//! A stream is polled only when its reader wants more, so back-pressure is the reader's pace.
//! Bodies are `Send`: they cross shards with the message they belong to.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_util::stream::{Stream, StreamExt};
use tokio::sync::mpsc;

use crate::limits::BODY_CHANNEL_CHUNKS;

/// A body that is handed from hop to hop without being looked at.
#[derive(Default)]
pub enum Body {
    /// No body at all (`null` in JavaScript).
    #[default]
    Empty,
    /// The whole body, in memory.
    Full(Bytes),
    /// Chunks that arrive over time.
    Stream(BodyStream),
}

/// A stream of chunks with, where the sender announced it, the total length in bytes.
pub struct BodyStream {
    chunks: Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>,
    length: Option<u64>,
}

/// The producing end of a streamed body; dropping it ends the body.
///
/// At most [`BODY_CHANNEL_CHUNKS`] chunks wait for the reader.
#[derive(Clone)]
pub struct BodyWriter {
    chunks: mpsc::Sender<Result<Bytes, BodyError>>,
}

/// Why a body ended before its end.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BodyError {
    /// The other side went away before the body was complete.
    #[error("the connection was lost before the body was complete: {0}")]
    Disconnected(String),
    /// The body is larger than the limit of the place that reads it.
    #[error("the body is larger than the limit of {limit_bytes} bytes")]
    TooLarge {
        /// The limit that was passed.
        limit_bytes: u64,
    },
    /// The body is not in the encoding that its headers name.
    #[error("{0}")]
    Encoding(&'static str),
    /// The stream that produces the body threw.
    #[error("{0}")]
    Failed(String),
    /// Whoever asked for the body gave it up.
    #[error("The operation was aborted")]
    Aborted,
    /// The reader is gone, so nobody will see what is written.
    #[error("the reader of this body is gone")]
    ReaderGone,
}

impl Body {
    /// Opens a body that is written while it is read.
    #[must_use]
    pub fn channel() -> (BodyWriter, Body) {
        Body::channel_of(None)
    }

    /// As [`channel`](Self::channel), for a body whose length in bytes the writer knows.
    #[must_use]
    pub fn channel_of(length: Option<u64>) -> (BodyWriter, Body) {
        let (sender, receiver) = mpsc::channel(BODY_CHANNEL_CHUNKS);
        let chunks = futures_util::stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        });
        (BodyWriter { chunks: sender }, Body::Stream(BodyStream::new(chunks, length)))
    }

    /// The same body; a failure of its source is told as `error`.
    #[must_use]
    pub fn fail_with(self, error: BodyError) -> Body {
        match self {
            Body::Stream(BodyStream { chunks, length }) => {
                let chunks = chunks.map(move |chunk| chunk.map_err(|_| error.clone()));
                Body::Stream(BodyStream::new(chunks, length))
            }
            body => body,
        }
    }

    /// The length in bytes where it is known before reading.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        match self {
            Body::Empty => Some(0),
            Body::Full(bytes) => Some(bytes.len() as u64),
            Body::Stream(stream) => stream.length,
        }
    }

    /// Reads to the end.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] as soon as more than `limit_bytes` have come, else what the
    /// producer reported. Cancelling drops what was read.
    pub async fn collect(self, limit_bytes: u64) -> Result<Bytes, BodyError> {
        let mut stream = match self {
            Body::Empty => return Ok(Bytes::new()),
            Body::Full(bytes) if bytes.len() as u64 > limit_bytes => {
                return Err(BodyError::TooLarge { limit_bytes });
            }
            Body::Full(bytes) => return Ok(bytes),
            Body::Stream(stream) => stream,
        };
        let Some(first) = stream.next().await else { return Ok(Bytes::new()) };
        let mut whole = BytesMut::from(first?);
        loop {
            if whole.len() as u64 > limit_bytes {
                return Err(BodyError::TooLarge { limit_bytes });
            }
            match stream.next().await {
                Some(chunk) => whole.extend_from_slice(&chunk?),
                None => return Ok(whole.freeze()),
            }
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("length", &self.length()).finish_non_exhaustive()
    }
}

impl BodyStream {
    /// Wraps chunks that are produced on demand; `length` is the announced total in bytes.
    pub fn new(
        chunks: impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static,
        length: Option<u64>,
    ) -> BodyStream {
        BodyStream { chunks: Box::pin(chunks), length }
    }

    /// The announced total in bytes.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.length
    }
}

impl Stream for BodyStream {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.chunks.as_mut().poll_next(cx)
    }
}

impl BodyWriter {
    /// Hands one chunk to the reader, waiting while the channel is full.
    ///
    /// # Errors
    /// [`BodyError::ReaderGone`] when nobody will read it. Cancelling writes nothing.
    pub async fn write(&self, chunk: Bytes) -> Result<(), BodyError> {
        self.chunks.send(Ok(chunk)).await.map_err(|_| BodyError::ReaderGone)
    }

    /// Like [`write`](Self::write) without waiting; gives the chunk back when the channel is
    /// full.
    ///
    /// # Errors
    /// `Some(chunk)` when it must wait, `None` when the reader is gone.
    pub fn try_write(&self, chunk: Bytes) -> Result<(), Option<Bytes>> {
        self.chunks.try_send(Ok(chunk)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(Ok(chunk)) => Some(chunk),
            _ => None,
        })
    }

    /// Ends the body with an error that the reader sees after the chunks before it.
    pub async fn fail(&self, error: BodyError) {
        // A reader that is gone has no use for the error.
        let _ = self.chunks.send(Err(error)).await;
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Body {
        Body::Full(bytes)
    }
}

impl From<String> for Body {
    fn from(text: String) -> Body {
        Body::Full(Bytes::from(text))
    }
}
