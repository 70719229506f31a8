//! The one trait spoken on every arrow: whatever can receive an event implements it.
//!
//! Router → supervisor, supervisor → facet, worker → loaded worker, test → anything: a room
//! can stand in for another because each offers and takes an [`Entrypoint`].

use std::future::Future;
use std::pin::Pin;

use crate::error::Error;
use crate::message::{Request, Response};

/// What an event answers, once its output gate lets it go.
///
/// Dropping it stops waiting; the event itself runs on, as a client that hangs up does not
/// stop a handler.
pub type Reply<T> = Pin<Box<dyn Future<Output = Result<T, Error>>>>;

/// A value in V8's structured-clone wire format, without capabilities.
#[derive(Debug, Clone)]
pub struct Serialized(pub bytes::Bytes);

impl Serialized {
    /// One string as the only argument of a call, in V8's wire format: version 15, a dense
    /// array of one UTF-8 string.
    #[must_use]
    pub fn of_text_argument(text: &str) -> Serialized {
        let mut bytes = vec![0xff, 15, b'A', 1, b'S'];
        let mut length = text.len();
        while length >= 0x80 {
            bytes.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend_from_slice(text.as_bytes());
        bytes.extend_from_slice(&[b'$', 0, 1]);
        Serialized(bytes.into())
    }

    /// The string this is, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<String> {
        let mut bytes = self.0.strip_prefix(&[0xff])?;
        varint(&mut bytes)?;
        // V8 pads so that two-byte strings are aligned.
        while let [0, rest @ ..] = bytes {
            bytes = rest;
        }
        let (tag, rest) = bytes.split_first()?;
        bytes = rest;
        let length = varint(&mut bytes)?;
        let text = bytes.get(..length)?;
        match tag {
            b'"' => Some(text.iter().map(|byte| char::from(*byte)).collect()),
            b'S' => String::from_utf8(text.to_vec()).ok(),
            b'c' => {
                let units = text.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
                String::from_utf16(&units.collect::<Vec<_>>()).ok()
            }
            _ => None,
        }
    }
}

fn varint(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0;
    for shift in (0..usize::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// One RPC event: a method call, or the reading of a property.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method or property name.
    pub method: String,
    /// The arguments as one serialized array; `None` reads the property instead.
    pub arguments: Option<Serialized>,
}

/// A place that takes events (`spec/workers.md` §1.8, §3.6).
pub trait Entrypoint {
    /// Delivers a `fetch` event.
    fn fetch(&self, request: Request) -> Reply<Response>;

    /// Delivers an RPC event.
    fn call(&self, call: Call) -> Reply<Serialized>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_read_in_every_form_v8_writes_them() {
        let text = |bytes: &'static [u8]| Serialized(bytes.into()).as_text();
        assert_eq!(text(b"\xff\x0f\"\x02h\xe9").as_deref(), Some("h\u{e9}"));
        assert_eq!(text(b"\xff\x0fS\x03\xe2\x82\xac").as_deref(), Some("\u{20ac}"));
        assert_eq!(text(b"\xff\x0f\0c\x02\xac\x20").as_deref(), Some("\u{20ac}"));
        for other in [&b""[..], b"\xff", b"\xff\x0f", b"\xff\x0f\"\x05ab", b"\xff\x0fI\x02"] {
            assert_eq!(text(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_long_argument_has_a_long_length() {
        let bytes = Serialized::of_text_argument(&"x".repeat(300)).0;
        assert_eq!(&bytes[..7], [0xff, 15, b'A', 1, b'S', 0xac, 2]);
        assert_eq!(bytes.len(), 7 + 300 + 3);
    }
}
