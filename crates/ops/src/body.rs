//! Message bodies as JavaScript holds them: a handle on a [`Body`] that stays here until it is
//! read, and the writing end of a body that a JavaScript stream feeds.
//!
//! What can be answered at once is; what cannot is left to the shard, which settles the slot
//! that the caller opened. Nothing here waits or touches V8 from a future.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use deno_core::{GarbageCollected, OpState, cppgc, op2, v8};
use futures_util::stream::Stream;
use worker::body::{Body, BodyError, BodyWriter};
use worker::encoding::Encoding;
use worker::error::{Error, Thrown};
use worker::instance::{Instance, Payload};

/// A body in JavaScript's hands; it can be read once.
pub struct BodyHandle {
    source: Rc<RefCell<Source>>,
}

/// The writing end of a body that JavaScript produces; empty once it was closed.
pub struct BodyWriterHandle {
    writer: RefCell<Option<BodyWriter>>,
}

/// What is left of a body, and who waits for its next chunk.
struct Source {
    body: Body,
    /// How the body is encoded, as long as nobody has looked at it.
    encoding: Option<Encoding>,
    reader: Option<Waker>,
}

/// Why an op on a body failed.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
pub enum BodyOpError {
    /// The producer failed or the body passes a limit.
    #[class(generic)]
    #[error("{0}")]
    Body(BodyError),
    /// The body is not in the encoding that its headers name.
    #[class(type)]
    #[error("{0}")]
    Encoding(BodyError),
    /// Whoever asked for the body gave it up.
    #[class("DOMExceptionAbortError")]
    #[error("{0}")]
    Aborted(BodyError),
    /// V8 cannot hold a string or buffer of that length.
    #[class(range)]
    #[error("a body of {0} bytes does not fit into one string")]
    TooLong(usize),
}

// SAFETY: nothing in a handle points into V8's heap, so there is nothing to trace.
unsafe impl GarbageCollected for BodyHandle {
    fn trace(&self, _visitor: &mut v8::cppgc::Visitor) {}

    fn get_name(&self) -> &'static std::ffi::CStr {
        c"BodyHandle"
    }
}

// SAFETY: as for `BodyHandle`.
unsafe impl GarbageCollected for BodyWriterHandle {
    fn trace(&self, _visitor: &mut v8::cppgc::Visitor) {}

    fn get_name(&self) -> &'static std::ffi::CStr {
        c"BodyWriterHandle"
    }
}

impl From<BodyError> for BodyOpError {
    fn from(error: BodyError) -> BodyOpError {
        match error {
            BodyError::Aborted => BodyOpError::Aborted(error),
            BodyError::Encoding(_) => BodyOpError::Encoding(error),
            error => BodyOpError::Body(error),
        }
    }
}

impl BodyHandle {
    /// Makes a handle on a body that was not read yet.
    #[must_use]
    pub fn new(body: Body) -> BodyHandle {
        BodyHandle::encoded(body, None)
    }

    /// The same of a body that is decoded when it is read.
    #[must_use]
    pub fn encoded(body: Body, encoding: Option<Encoding>) -> BodyHandle {
        BodyHandle { source: Rc::new(RefCell::new(Source { body, encoding, reader: None })) }
    }

    /// Takes what is left of the body out; the handle is empty from then on.
    #[must_use]
    pub fn take(&self) -> Body {
        self.take_as(None).0
    }

    /// As [`take`](Self::take), in an encoding, and whether that changed its bytes: a body that
    /// has the encoding is not touched.
    #[must_use]
    pub fn take_as(&self, encoding: Option<Encoding>) -> (Body, bool) {
        let mut source = self.source.borrow_mut();
        if source.encoding == encoding {
            return (source.take(), false);
        }
        source.decode();
        let body = source.take();
        let body = match encoding {
            Some(encoding) => encoding.encode(body),
            None => body,
        };
        (body, true)
    }
}

impl Source {
    fn take(&mut self) -> Body {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        std::mem::take(&mut self.body)
    }

    /// From now on it is the text of the body.
    fn decode(&mut self) {
        if let Some(encoding) = self.encoding.take() {
            self.body = encoding.decode(std::mem::take(&mut self.body));
        }
    }

    /// The next chunk that is not empty, or `None` at the end.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        self.decode();
        loop {
            let chunk = match &mut self.body {
                Body::Empty => return Poll::Ready(Ok(None)),
                Body::Full(bytes) => {
                    let bytes = std::mem::take(bytes);
                    self.body = Body::Empty;
                    Some(Ok(bytes))
                }
                Body::Stream(stream) => match Pin::new(stream).poll_next(cx) {
                    Poll::Ready(chunk) => chunk,
                    Poll::Pending => {
                        self.reader = Some(cx.waker().clone());
                        return Poll::Pending;
                    }
                },
            };
            match chunk {
                Some(Ok(bytes)) if bytes.is_empty() => {}
                Some(Ok(bytes)) => return Poll::Ready(Ok(Some(bytes))),
                Some(Err(error)) => {
                    self.body = Body::Empty;
                    return Poll::Ready(Err(error));
                }
                None => self.body = Body::Empty,
            }
        }
    }
}

/// Reads the next chunk: a `Uint8Array`, null at the end, or undefined if `slot` gets either.
#[op2]
pub fn op_body_read<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    #[cppgc] handle: &BodyHandle,
    slot: u32,
) -> Result<v8::Local<'s, v8::Value>, BodyOpError> {
    let mut no_waker = Context::from_waker(Waker::noop());
    let now = handle.source.borrow_mut().poll_chunk(&mut no_waker);
    match now {
        Poll::Ready(Ok(Some(bytes))) => Ok(bytes_to_v8(scope, bytes).into()),
        Poll::Ready(Ok(None)) => Ok(v8::null(scope).into()),
        Poll::Ready(Err(error)) => Err(error.into()),
        Poll::Pending => {
            let source = handle.source.clone();
            state.borrow::<Rc<Instance>>().defer(slot, async move {
                let chunk = poll_fn(|cx| source.borrow_mut().poll_chunk(cx)).await;
                match chunk.map_err(|error| thrown(&error))? {
                    Some(bytes) => Ok(Payload::Bytes(bytes)),
                    None => Ok(Payload::Null),
                }
            });
            Ok(v8::undefined(scope).into())
        }
    }
}

/// Reads the rest: a `Uint8Array`, or undefined if `slot` gets it.
#[op2]
pub fn op_body_read_all<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    #[cppgc] handle: &BodyHandle,
    slot: u32,
) -> Result<v8::Local<'s, v8::Value>, BodyOpError> {
    match collect(state, handle, slot)? {
        Some(bytes) => Ok(bytes_to_v8(scope, bytes).into()),
        None => Ok(v8::undefined(scope).into()),
    }
}

/// Reads the rest as UTF-8: a string, or undefined if `slot` gets a `Uint8Array`.
#[op2]
pub fn op_body_read_text<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    #[cppgc] handle: &BodyHandle,
    slot: u32,
) -> Result<v8::Local<'s, v8::Value>, BodyOpError> {
    let Some(bytes) = collect(state, handle, slot)? else {
        return Ok(v8::undefined(scope).into());
    };
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
    let text = if text.is_ascii() {
        v8::String::new_from_one_byte(scope, text, v8::NewStringType::Normal)
    } else {
        v8::String::new_from_utf8(scope, text, v8::NewStringType::Normal)
    };
    text.map(Into::into).ok_or(BodyOpError::TooLong(bytes.len()))
}

/// Drops what is left of a body; its producer learns that nobody reads on.
#[op2(fast)]
pub fn op_body_cancel(#[cppgc] handle: &BodyHandle) {
    drop(handle.take());
}

/// A second handle on a body that is in memory; null for a stream, which is left alone.
#[op2]
pub fn op_body_share<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] handle: &BodyHandle,
) -> v8::Local<'s, v8::Value> {
    let source = handle.source.borrow();
    let copy = match &source.body {
        Body::Empty => Body::Empty,
        Body::Full(bytes) => Body::Full(bytes.clone()),
        Body::Stream(_) => return v8::null(scope).into(),
    };
    cppgc::make_cppgc_object(scope, BodyHandle::encoded(copy, source.encoding)).into()
}

/// Opens a body that JavaScript writes: `[writer, handle]`. `length` in bytes is -1 if nobody
/// knows it.
#[op2]
pub fn op_body_channel<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    length: f64,
) -> v8::Local<'s, v8::Array> {
    let length = (length >= 0.0).then_some(length as u64);
    let (writer, body) = Body::channel_of(length);
    let writer = BodyWriterHandle { writer: RefCell::new(Some(writer)) };
    let writer = cppgc::make_cppgc_object(scope, writer).into();
    let body = cppgc::make_cppgc_object(scope, BodyHandle::new(body)).into();
    v8::Array::new_with_elements(scope, &[writer, body])
}

/// Hands a copy of a chunk to the reader: true if it was taken at once, else `slot` settles when
/// the reader has made room and what the chunk may reveal is durable.
#[op2(fast)]
pub fn op_body_write(
    state: &mut OpState,
    #[cppgc] handle: &BodyWriterHandle,
    #[buffer] chunk: &[u8],
    slot: u32,
) -> Result<bool, BodyOpError> {
    let handle = handle.writer.borrow();
    let Some(writer) = handle.as_ref() else {
        return Err(BodyOpError::Body(BodyError::ReaderGone));
    };
    let instance = state.borrow::<Rc<Instance>>();
    let durable = instance.writes_durable();
    let mut chunk = Bytes::copy_from_slice(chunk);
    if durable.is_none() {
        match writer.try_write(chunk) {
            Ok(()) => return Ok(true),
            Err(None) => return Err(BodyOpError::Body(BodyError::ReaderGone)),
            Err(Some(refused)) => chunk = refused,
        }
    }
    let writer = writer.clone();
    instance.defer(slot, async move {
        if let Some(durable) = durable {
            durable.await?;
        }
        writer.write(chunk).await.map_err(|error| thrown(&error))?;
        Ok(Payload::Undefined)
    });
    Ok(false)
}

/// Ends a body that JavaScript writes, once what its end may reveal is durable.
#[op2(fast)]
pub fn op_body_close(state: &mut OpState, #[cppgc] handle: &BodyWriterHandle) {
    let Some(writer) = handle.writer.take() else { return };
    let instance = state.borrow::<Rc<Instance>>();
    let Some(durable) = instance.writes_durable() else { return };
    instance.shard().spawn(async move {
        if let Err(error) = durable.await {
            writer.fail(BodyError::Failed(error.to_string())).await;
        }
    });
}

/// Ends a body with an error for its reader: true if that needed no waiting, else `slot` settles
/// when the reader has made room.
#[op2(fast)]
pub fn op_body_fail(
    state: &mut OpState,
    #[cppgc] handle: &BodyWriterHandle,
    #[string] message: String,
    slot: u32,
) -> bool {
    let Some(writer) = handle.writer.take() else { return true };
    let durable = state.borrow::<Rc<Instance>>().writes_durable();
    let mut failing = Box::pin(async move {
        let lost = match durable {
            Some(durable) => durable.await.err(),
            None => None,
        };
        let message = lost.map_or(message, |error| error.to_string());
        writer.fail(BodyError::Failed(message)).await;
        Ok(Payload::Undefined)
    });
    let mut no_waker = Context::from_waker(Waker::noop());
    if failing.as_mut().poll(&mut no_waker).is_ready() {
        return true;
    }
    state.borrow::<Rc<Instance>>().defer(slot, failing);
    false
}

/// Moves bytes into a `Uint8Array`, without a copy where they have no other owner.
pub fn bytes_to_v8<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    bytes: Bytes,
) -> v8::Local<'s, v8::Uint8Array> {
    let length = bytes.len();
    let store = v8::ArrayBuffer::new_backing_store_from_vec(Vec::from(bytes)).make_shared();
    let buffer = v8::ArrayBuffer::with_backing_store(scope, &store);
    v8::Uint8Array::new(scope, buffer, 0, length)
        .expect("a view of a whole buffer is never out of its range")
}

/// The rest of a body if it is there already; else `slot` gets it.
fn collect(state: &OpState, handle: &BodyHandle, slot: u32) -> Result<Option<Bytes>, BodyOpError> {
    let mut collecting = Box::pin(handle.take().collect(COLLECT_BYTES_MAX));
    let mut no_waker = Context::from_waker(Waker::noop());
    match collecting.as_mut().poll(&mut no_waker) {
        Poll::Ready(bytes) => Ok(Some(bytes?)),
        Poll::Pending => {
            state.borrow::<Rc<Instance>>().defer(slot, async move {
                collecting.await.map(Payload::Bytes).map_err(|error| thrown(&error))
            });
            Ok(None)
        }
    }
}

fn thrown(error: &BodyError) -> Error {
    let name = match error {
        BodyError::Aborted => "AbortError",
        BodyError::Encoding(_) => "TypeError",
        _ => "Error",
    };
    Error::AppThrew(Thrown::new(name, error.to_string()).into())
}

/// Bytes of a body that is read as a whole; Cloudflare's isolate limit, which it could not pass.
const COLLECT_BYTES_MAX: u64 = 128 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The platform's words for a second reader.
pub(crate) const BODY_USED: &str = "Body has already been used. It can only be used once. Use \
    tee() first if you need to read it twice.";
