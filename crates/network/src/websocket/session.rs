//! One WebSocket on its connection, from the handshake to the end, on either side of it.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;
use tungstenite::protocol::frame::coding::Data;
use worker::limits::SOCKET_MESSAGE_BYTES_MAX;
use worker::link::{Close, Frame, LinkReader, LinkWriter, SocketEnd};

use super::frame::{Decoder, Encoder, Received, Role};
use super::wire::Wire;

/// What the session itself has to say, beside what the worker sends.
#[derive(Default)]
struct Control {
    /// The newest ping; RFC 6455 §5.5.3 lets older ones go unanswered.
    ping: RefCell<Option<Bytes>>,
    /// Ends the session with this close frame.
    close: RefCell<Option<Close>>,
    changed: Notify,
}

/// How the sending half ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// A close frame was sent.
    Close,
    /// The worker dropped its end without one.
    Nothing,
}

/// How the receiving half ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The peer sent its close frame.
    Closed,
    /// The peer broke a rule, and is told so.
    Refused,
    /// The connection is lost.
    Lost,
}

/// Carries frames until both sides are closed, one is lost, or `closing` is done.
pub(crate) async fn run(
    wire: impl Wire,
    role: Role,
    read: Bytes,
    end: SocketEnd,
    closing: impl Future<Output = ()>,
) {
    let control = Control::default();
    let SocketEnd { reader, writer } = end;
    let mut receiving = pin!(receive(&wire, Decoder::new(role, LIMIT), read, writer, &control));
    let mut sending = pin!(send(&wire, Encoder::new(role), reader, &control));
    tokio::select! {
        ended = &mut receiving => match ended {
            Ended::Lost => return,
            // The worker answers in its own time; TCP notices a peer that died meanwhile.
            Ended::Closed => drop(sending.await),
            Ended::Refused => drop(tokio::time::timeout(CLOSE_TIMEOUT, sending).await),
        },
        sent = &mut sending => {
            if !matches!(sent, Ok(Sent::Close)) {
                return;
            }
            // The peer may still be sending; what it says is heard until it closes as well.
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, receiving).await;
        }
        () = closing => {
            control.end_with(Close { code: 1001, reason: String::new() });
            let both = async { tokio::join!(sending, receiving) };
            let _ = tokio::time::timeout(GOING_AWAY_TIMEOUT, both).await;
        }
    }
    linger(&wire).await;
}

impl Control {
    fn end_with(&self, close: Close) {
        self.close.borrow_mut().get_or_insert(close);
        self.changed.notify_one();
    }
}

async fn receive(
    wire: &impl Wire,
    mut decoder: Decoder,
    read: Bytes,
    writer: LinkWriter,
    control: &Control,
) -> Ended {
    let mut buffer = BytesMut::from(&read[..]);
    drop(read);
    loop {
        match decoder.next(&mut buffer) {
            Ok(Some(Received::Frame(frame))) => {
                let is_last = matches!(frame, Frame::Close(_));
                if writer.send(frame).is_err() {
                    return Ended::Lost;
                }
                if is_last {
                    return Ended::Closed;
                }
                writer.room().await;
                continue;
            }
            Ok(Some(Received::Ping(payload))) => {
                *control.ping.borrow_mut() = Some(payload);
                control.changed.notify_one();
                continue;
            }
            Ok(Some(Received::Pong)) => continue,
            Ok(None) => {}
            Err(violation) => {
                let (code, text) = (violation.code, violation.text);
                writer.push(Frame::Failed(Arc::from(format!(
                    "WebSocket protocol error; protocolError.statusCode = {code}; \
                     protocolError.description = {text}"
                ))));
                control.end_with(Close { code, reason: text });
                return Ended::Refused;
            }
        }
        if buffer.is_empty() {
            // Idle sockets are many; each waits without a buffer.
            buffer = BytesMut::new();
        }
        let missing = decoder.missing_bytes(&buffer);
        if let Ok(0) | Err(_) = wire.fill(&mut buffer, missing).await {
            return Ended::Lost;
        }
    }
}

async fn send(
    wire: &impl Wire,
    mut encoder: Encoder,
    mut reader: LinkReader,
    control: &Control,
) -> io::Result<Sent> {
    let mut out = BytesMut::new();
    loop {
        let mut next = next(&mut reader, control).await;
        // What is ready leaves in one write.
        loop {
            match next {
                Say::Frame(Frame::Text(payload)) => {
                    data(wire, &mut encoder, (Data::Text, &payload), &mut out).await?;
                }
                Say::Frame(Frame::Binary(payload)) => {
                    data(wire, &mut encoder, (Data::Binary, &payload), &mut out).await?;
                }
                Say::Frame(Frame::Close(close)) => {
                    encoder.close(&close, &mut out);
                    return wire.write(&out).await.map(|()| Sent::Close);
                }
                Say::Pong(payload) => encoder.pong(&payload, &mut out),
                Say::Frame(Frame::Failed(_)) | Say::End => {
                    return wire.write(&out).await.map(|()| Sent::Nothing);
                }
                Say::Nothing => break,
            }
            if out.len() >= BATCH_BYTES {
                break;
            }
            next = ready(&mut reader, control);
        }
        wire.write(&out).await?;
        // An idle socket has no buffer.
        out = BytesMut::new();
    }
}

/// What is to be sent.
enum Say {
    Frame(Frame),
    Pong(Bytes),
    End,
    Nothing,
}

async fn next(reader: &mut LinkReader, control: &Control) -> Say {
    loop {
        match ready(reader, control) {
            Say::Nothing => {}
            say => return say,
        }
        let mut changed = pin!(control.changed.notified());
        let frame = std::future::poll_fn(|cx| {
            if let Poll::Ready(frame) = reader.poll_next(cx) {
                return Poll::Ready(Some(frame));
            }
            Pin::as_mut(&mut changed).poll(cx).map(|()| None)
        })
        .await;
        match frame {
            Some(Some(frame)) => return Say::Frame(frame),
            Some(None) => return Say::End,
            None => {}
        }
    }
}

fn ready(reader: &mut LinkReader, control: &Control) -> Say {
    if let Some(close) = control.close.borrow_mut().take() {
        return Say::Frame(Frame::Close(close));
    }
    if let Some(payload) = control.ping.borrow_mut().take() {
        return Say::Pong(payload);
    }
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match reader.poll_next(&mut cx) {
        Poll::Ready(Some(frame)) => Say::Frame(frame),
        Poll::Ready(None) => Say::End,
        Poll::Pending => Say::Nothing,
    }
}

/// Appends a message; a large one of a server is written from where it lies.
async fn data(
    wire: &impl Wire,
    encoder: &mut Encoder,
    (kind, payload): (Data, &[u8]),
    out: &mut BytesMut,
) -> io::Result<()> {
    if payload.len() < BATCH_BYTES || encoder.masks() {
        encoder.message(kind, payload, out);
        return Ok(());
    }
    encoder.head(kind, payload.len(), out);
    wire.write(out).await?;
    out.clear();
    wire.write(payload).await
}

/// Says that nothing follows, and lets the peer finish: closing with unread bytes would reset
/// the connection and take the close frame with it.
async fn linger(wire: &impl Wire) {
    if wire.end().await.is_err() {
        return;
    }
    let drain = async {
        let mut left = LINGER_BYTES_MAX;
        let mut buffer = BytesMut::new();
        while let Ok(read @ 1..) = wire.fill(&mut buffer, 0).await {
            buffer.clear();
            left = left.saturating_sub(read);
            if left == 0 {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(LINGER_TIMEOUT, drain).await;
}

/// Bytes of one message that is received.
const LIMIT: usize = SOCKET_MESSAGE_BYTES_MAX;

/// How long a peer may take to answer a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a peer may take to go when the server stops.
const GOING_AWAY_TIMEOUT: Duration = Duration::from_secs(1);

/// How long, and how much, a peer may go on sending after it was told that the session is over.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);
const LINGER_BYTES_MAX: usize = 2 * SOCKET_MESSAGE_BYTES_MAX;

/// How much is gathered for one write.
const BATCH_BYTES: usize = 16 << 10;
