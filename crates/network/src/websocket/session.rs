//! One WebSocket on its connection, from the handshake to the end.

use std::cell::RefCell;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tungstenite::protocol::frame::coding::Data;
use worker::limits::SOCKET_MESSAGE_BYTES_MAX;
use worker::link::{Close, Frame, LinkReader, LinkWriter, SocketEnd};

use super::frame::{Decoder, Received, encode_close, encode_head, encode_pong};

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

/// Carries frames until both sides are closed, one is lost, or `closing` holds.
pub(crate) async fn serve(
    stream: TcpStream,
    read: Bytes,
    end: SocketEnd,
    mut closing: watch::Receiver<bool>,
) {
    keep_alive(&stream);
    let control = Control::default();
    let SocketEnd { reader, writer } = end;
    let mut receiving = pin!(receive(&stream, read, writer, &control));
    let mut sending = pin!(send(&stream, reader, &control));
    let closed = async {
        // A sender that is gone means that the listener is gone: close as well.
        let _ = closing.wait_for(|closing| *closing).await;
    };
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
        () = closed => {
            control.end_with(Close { code: 1001, reason: String::new() });
            let both = async { tokio::join!(sending, receiving) };
            let _ = tokio::time::timeout(GOING_AWAY_TIMEOUT, both).await;
        }
    }
    linger(&stream).await;
}

impl Control {
    fn end_with(&self, close: Close) {
        self.close.borrow_mut().get_or_insert(close);
        self.changed.notify_one();
    }
}

async fn receive(stream: &TcpStream, read: Bytes, writer: LinkWriter, control: &Control) -> Ended {
    let mut decoder = Decoder::new(SOCKET_MESSAGE_BYTES_MAX);
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
        if let Ok(0) | Err(_) = fill(stream, &mut buffer, missing).await {
            return Ended::Lost;
        }
    }
}

/// Reads what has come, at least one byte; 0 at the end.
async fn fill(stream: &TcpStream, buffer: &mut BytesMut, missing: usize) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        // No more at once than what a peer must really send to fill it.
        buffer.reserve(missing.clamp(READ_BYTES_MIN, READ_BYTES_MAX));
        match stream.try_read_buf(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => return read,
        }
    }
}

async fn send(stream: &TcpStream, mut reader: LinkReader, control: &Control) -> io::Result<Sent> {
    let mut out = BytesMut::new();
    loop {
        let mut next = next(&mut reader, control).await;
        // What is ready leaves in one write.
        loop {
            match next {
                Say::Frame(Frame::Text(payload)) => {
                    data(stream, Data::Text, &payload, &mut out).await?;
                }
                Say::Frame(Frame::Binary(payload)) => {
                    data(stream, Data::Binary, &payload, &mut out).await?;
                }
                Say::Frame(Frame::Close(close)) => {
                    encode_close(&close, &mut out);
                    return write(stream, &out).await.map(|()| Sent::Close);
                }
                Say::Pong(payload) => encode_pong(&payload, &mut out),
                Say::Frame(Frame::Failed(_)) | Say::End => {
                    return write(stream, &out).await.map(|()| Sent::Nothing);
                }
                Say::Nothing => break,
            }
            if out.len() >= BATCH_BYTES {
                break;
            }
            next = ready(&mut reader, control);
        }
        write(stream, &out).await?;
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

/// Appends a message; a large one is written from where it lies.
async fn data(
    stream: &TcpStream,
    kind: Data,
    payload: &[u8],
    out: &mut BytesMut,
) -> io::Result<()> {
    encode_head(kind, payload.len(), out);
    if payload.len() < BATCH_BYTES {
        out.extend_from_slice(payload);
        return Ok(());
    }
    write(stream, out).await?;
    out.clear();
    write(stream, payload).await
}

async fn write(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Says that nothing follows, and lets the peer finish: closing with unread bytes would reset
/// the connection and take the close frame with it.
async fn linger(stream: &TcpStream) {
    if SockRef::from(stream).shutdown(std::net::Shutdown::Write).is_err() {
        return;
    }
    let drain = async {
        let mut left = LINGER_BYTES_MAX;
        let mut buffer = BytesMut::new();
        while let Ok(read @ 1..) = fill(stream, &mut buffer, 0).await {
            buffer.clear();
            left = left.saturating_sub(read);
            if left == 0 {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(LINGER_TIMEOUT, drain).await;
}

/// Lets the kernel find out that a silent peer is gone.
fn keep_alive(stream: &TcpStream) {
    let probes = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
    if let Err(error) = SockRef::from(stream).set_tcp_keepalive(&probes) {
        tracing::debug!(%error, "cannot set TCP keep-alive");
    }
}

/// How long a peer may take to answer a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a peer may take to go when the server stops.
const GOING_AWAY_TIMEOUT: Duration = Duration::from_secs(1);

/// How long, and how much, a peer may go on sending after it was told that the session is over.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);
const LINGER_BYTES_MAX: usize = 2 * SOCKET_MESSAGE_BYTES_MAX;

/// A peer that is silent for so long is probed; after nine lost probes, Linux gives up.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(15);

/// The room for one read: a page for small messages, 64 KiB for the rest of a large one.
const READ_BYTES_MIN: usize = 4 << 10;
const READ_BYTES_MAX: usize = 64 << 10;

/// How much is gathered for one write.
const BATCH_BYTES: usize = 16 << 10;
