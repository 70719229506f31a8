//! Bytes to frames and back, for either side of a WebSocket (RFC 6455 §5).
//!
//! Pure: no I/O. Fragments are put together, text is checked to be UTF-8, and what a peer
//! must not send is a [`Violation`] with the close code that answers it. What a client sends is
//! masked, so that no cache between the two takes it for something else.

use std::io::Cursor;

use bytes::{Buf, Bytes, BytesMut};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};
use worker::link::{Close, Frame, NO_STATUS};

/// Which side of the connection is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A client connected to us.
    Server,
    /// A worker connected to somebody.
    Client,
}

/// What the peer sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// A whole message, or a close frame.
    Frame(Frame),
    /// To be answered with the same payload.
    Ping(Bytes),
    /// To be ignored.
    Pong,
}

/// A rule that the peer broke.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Violation {
    /// The close code that tells the peer.
    pub code: u16,
    /// What it did.
    pub text: String,
}

/// Puts frames together from the bytes of a connection.
pub(super) struct Decoder {
    role: Role,
    message_bytes_max: usize,
    header: Option<(FrameHeader, usize)>,
    /// A message of which not all fragments have come.
    partial: Option<(Data, BytesMut)>,
}

impl Decoder {
    pub fn new(role: Role, message_bytes_max: usize) -> Decoder {
        Decoder { role, message_bytes_max, header: None, partial: None }
    }

    /// Bytes that are missing for the frame that has begun, as far as that is known.
    pub fn missing_bytes(&self, buffer: &BytesMut) -> usize {
        self.header.as_ref().map_or(0, |(_, length)| length.saturating_sub(buffer.len()))
    }

    /// Takes the next frame out of `buffer`; `None` until it is complete.
    ///
    /// # Errors
    /// The rule that the peer broke; nothing more can be read after that.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Received>, Violation> {
        loop {
            let (header, length) = match self.header.take() {
                Some(known) => known,
                None => match self.header(buffer)? {
                    Some(header) => header,
                    None => return Ok(None),
                },
            };
            if buffer.len() < length {
                self.header = Some((header, length));
                return Ok(None);
            }
            let mut payload = buffer.split_to(length);
            if let Some(mask) = header.mask {
                apply_mask(&mut payload, mask);
            }
            match header.opcode {
                OpCode::Control(control) => return receive_control(control, payload).map(Some),
                OpCode::Data(data) => {
                    if let Some(frame) = self.receive_data(data, header.is_final, payload)? {
                        return Ok(Some(Received::Frame(frame)));
                    }
                }
            }
        }
    }

    fn header(&self, buffer: &mut BytesMut) -> Result<Option<(FrameHeader, usize)>, Violation> {
        let mut cursor = Cursor::new(&buffer[..]);
        let parsed = FrameHeader::parse(&mut cursor)
            .map_err(|error| Violation::protocol(error.to_string()))?;
        let Some((header, length)) = parsed else { return Ok(None) };
        let read = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(Violation::protocol("Received frame had RSV bits set"));
        }
        match (self.role, header.mask) {
            (Role::Server, None) => return Err(Violation::protocol("Received frame had no mask")),
            (Role::Client, Some(_)) => {
                return Err(Violation::protocol("Received frame had a mask"));
            }
            _ => {}
        }
        let begun = match header.opcode {
            OpCode::Control(Control::Reserved(code)) => {
                return Err(Violation::protocol(format!("Unknown opcode {code}")));
            }
            OpCode::Data(Data::Reserved(code)) => {
                return Err(Violation::protocol(format!("Unknown opcode {code}")));
            }
            OpCode::Control(_) if !header.is_final => {
                return Err(Violation::protocol("Received fragmented control frame"));
            }
            OpCode::Control(_) if length > CONTROL_BYTES_MAX => {
                return Err(Violation::protocol("Received control frame with a large payload"));
            }
            OpCode::Control(_) => 0,
            OpCode::Data(_) => self.partial.as_ref().map_or(0, |(_, begun)| begun.len()),
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if begun.saturating_add(length) > self.message_bytes_max {
            return Err(Violation { code: 1009, text: "Message is too large".into() });
        }
        buffer.advance(read);
        Ok(Some((header, length)))
    }

    fn receive_data(
        &mut self,
        data: Data,
        is_final: bool,
        payload: BytesMut,
    ) -> Result<Option<Frame>, Violation> {
        let (kind, whole) = match (data, self.partial.take()) {
            (Data::Continue, None) => {
                return Err(Violation::protocol("Unexpected continuation frame"));
            }
            (Data::Continue, Some((kind, mut begun))) => {
                begun.extend_from_slice(&payload);
                (kind, begun)
            }
            (_, Some(_)) => return Err(Violation::protocol("Missing continuation frame")),
            (kind, None) => (kind, payload),
        };
        if !is_final {
            self.partial = Some((kind, whole));
            return Ok(None);
        }
        let whole = whole.freeze();
        if kind != Data::Text {
            return Ok(Some(Frame::Binary(whole)));
        }
        match std::str::from_utf8(&whole) {
            Ok(_) => Ok(Some(Frame::Text(whole))),
            Err(_) => Err(Violation { code: 1007, text: "Text message is not UTF-8".into() }),
        }
    }
}

fn receive_control(control: Control, payload: BytesMut) -> Result<Received, Violation> {
    match control {
        Control::Ping => Ok(Received::Ping(payload.freeze())),
        Control::Pong | Control::Reserved(_) => Ok(Received::Pong),
        Control::Close => receive_close(&payload).map(Frame::Close).map(Received::Frame),
    }
}

fn receive_close(payload: &[u8]) -> Result<Close, Violation> {
    let (code, reason) = match payload {
        [] => return Ok(Close { code: NO_STATUS, reason: String::new() }),
        [_] => return Err(Violation::protocol("Close frame with half a code")),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    if !CloseCode::from(code).is_allowed() {
        return Err(Violation::protocol(format!("Close frame with the code {code}")));
    }
    match std::str::from_utf8(reason) {
        Ok(reason) => Ok(Close { code, reason: reason.to_owned() }),
        Err(_) => Err(Violation { code: 1007, text: "Close reason is not UTF-8".into() }),
    }
}

impl Violation {
    fn protocol(text: impl Into<String>) -> Violation {
        Violation { code: 1002, text: text.into() }
    }
}

/// Makes bytes of what we send.
pub(super) struct Encoder {
    role: Role,
}

impl Encoder {
    pub fn new(role: Role) -> Encoder {
        Encoder { role }
    }

    /// True if what is sent is masked, and therefore never as it lies in memory.
    pub fn masks(&self) -> bool {
        self.role == Role::Client
    }

    /// Appends a message.
    pub fn message(&self, kind: Data, payload: &[u8], out: &mut BytesMut) {
        self.frame(OpCode::Data(kind), &[payload], out);
    }

    /// Appends the head of a server's message whose payload follows.
    pub fn head(&self, kind: Data, length: usize, out: &mut BytesMut) {
        debug_assert!(!self.masks(), "a mask needs the payload");
        head(OpCode::Data(kind), length, None, out);
    }

    /// Appends a pong.
    pub fn pong(&self, payload: &[u8], out: &mut BytesMut) {
        self.frame(OpCode::Control(Control::Pong), &[payload], out);
    }

    /// Appends a close frame.
    pub fn close(&self, close: &Close, out: &mut BytesMut) {
        let opcode = OpCode::Control(Control::Close);
        if close.code == NO_STATUS {
            return self.frame(opcode, &[], out);
        }
        let mut end = close.reason.len().min(REASON_BYTES_MAX);
        while !close.reason.is_char_boundary(end) {
            end -= 1;
        }
        let reason = &close.reason.as_bytes()[..end];
        self.frame(opcode, &[&close.code.to_be_bytes(), reason], out);
    }

    fn frame(&self, opcode: OpCode, payload: &[&[u8]], out: &mut BytesMut) {
        let mask = self.masks().then(mask);
        head(opcode, payload.iter().map(|part| part.len()).sum(), mask, out);
        let start = out.len();
        payload.iter().for_each(|part| out.extend_from_slice(part));
        if let Some(mask) = mask {
            apply_mask(&mut out[start..], mask);
        }
    }
}

/// Four bytes that nobody can foresee (RFC 6455 §5.3).
fn mask() -> [u8; 4] {
    let mut mask = [0; 4];
    // The system's generator fails only where nothing else works either.
    let _ = getrandom::fill(&mut mask);
    mask
}

fn head(opcode: OpCode, length: usize, mask: Option<[u8; 4]>, out: &mut BytesMut) {
    let header = FrameHeader { opcode, mask, ..FrameHeader::default() };
    let mut bytes = [0; HEAD_BYTES_MAX];
    let mut rest = &mut bytes[..];
    // A head always fits, and a slice in memory cannot fail otherwise.
    let _ = header.format(length as u64, &mut rest);
    let left = rest.len();
    out.extend_from_slice(&bytes[..HEAD_BYTES_MAX - left]);
}

/// Lays the mask over a payload, or lifts it, eight bytes at a time.
fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let word = u64::from_ne_bytes(chunk.try_into().expect("chunks have eight bytes"));
        chunk.copy_from_slice(&(word ^ wide).to_ne_bytes());
    }
    for (byte, mask) in chunks.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// The longest payload of a control frame (RFC 6455 §5.5).
const CONTROL_BYTES_MAX: u64 = 125;

/// The longest reason of a close frame: a control frame without the code.
const REASON_BYTES_MAX: usize = 123;

/// The longest head of a frame.
const HEAD_BYTES_MAX: usize = 14;
