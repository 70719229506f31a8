//! The one trait spoken on every arrow: whatever can receive an event implements it.
//!
//! Router → supervisor, supervisor → facet, worker → loaded worker, test → anything: a room
//! can stand in for another because each offers and takes an [`Entrypoint`].

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use crate::capability::Capability;
use crate::error::Error;
use crate::live::Loan;
use crate::message::{Request, Response};
use crate::pipeline::Pipeline;

/// What an event answers, once its output gate lets it go.
///
/// Dropping it stops waiting; the event itself runs on, as a client that hangs up does not
/// stop a handler.
pub type Reply<T> = Pin<Box<dyn Future<Output = Result<T, Error>>>>;

/// A value in V8's structured-clone wire format, and the capabilities it refers to by number.
#[derive(Debug, Clone)]
pub struct Serialized {
    /// The value.
    pub bytes: Bytes,
    /// Most values have none.
    capabilities: Option<Arc<[Capability]>>,
}

impl Serialized {
    /// A value that refers to `capabilities`.
    #[must_use]
    pub fn new(bytes: Bytes, capabilities: Vec<Capability>) -> Serialized {
        let capabilities = (!capabilities.is_empty()).then(|| capabilities.into());
        Serialized { bytes, capabilities }
    }

    /// The same value with one more capability, which it does not name.
    #[must_use]
    pub fn with(self, capability: Capability) -> Serialized {
        let mut capabilities = self.capabilities().to_vec();
        capabilities.push(capability);
        Serialized::new(self.bytes, capabilities)
    }

    /// A value without capabilities.
    #[must_use]
    pub fn plain(bytes: Bytes) -> Serialized {
        Serialized { bytes, capabilities: None }
    }

    /// True if the bytes are all of it.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.capabilities.is_none()
    }

    /// What the value refers to, in the order of the numbers.
    #[must_use]
    pub fn capabilities(&self) -> &[Capability] {
        self.capabilities.as_deref().unwrap_or_default()
    }

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
        Serialized::plain(bytes.into())
    }

    /// The string this is, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<String> {
        let mut bytes = self.bytes.strip_prefix(&[0xff])?;
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
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// The method or property name; `None` calls a function that was lent.
    pub method: Option<String>,
    /// The properties through which the method is reached; most often none.
    pub path: Vec<String>,
    /// The object it is for, if it is not for an entrypoint.
    pub target: Option<Arc<Loan>>,
    /// The arguments as one serialized array; `None` reads the property instead.
    pub arguments: Option<Serialized>,
    /// What waits for its result.
    pub pipeline: Option<Arc<Pipeline>>,
}

impl Call {
    /// True if it is for a member of an entrypoint itself, as most calls are.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.target.is_none() && self.path.is_empty()
    }
}

/// A place that takes events (`spec/workers.md` §1.8, §3.6).
pub trait Entrypoint {
    /// Delivers a `fetch` event.
    fn fetch(&self, request: Request) -> Reply<Response>;

    /// Delivers an RPC event.
    fn call(&self, call: Call) -> Reply<Serialized>;

    /// What refers to this entrypoint in a message.
    ///
    /// # Errors
    /// Why it cannot be sent, in the platform's words.
    fn capability(&self) -> Result<Capability, &'static str> {
        Err("This stub cannot be sent to another worker.")
    }
}

/// A place that takes no event, with the reason.
pub struct Refused(pub Error);

impl Entrypoint for Refused {
    fn fetch(&self, _request: Request) -> Reply<Response> {
        Box::pin(std::future::ready(Err(self.0.clone())))
    }

    fn call(&self, _call: Call) -> Reply<Serialized> {
        Box::pin(std::future::ready(Err(self.0.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_read_in_every_form_v8_writes_them() {
        let text = |bytes: &'static [u8]| Serialized::plain(bytes.into()).as_text();
        assert_eq!(text(b"\xff\x0f\"\x02h\xe9").as_deref(), Some("h\u{e9}"));
        assert_eq!(text(b"\xff\x0fS\x03\xe2\x82\xac").as_deref(), Some("\u{20ac}"));
        assert_eq!(text(b"\xff\x0f\0c\x02\xac\x20").as_deref(), Some("\u{20ac}"));
        for other in [&b""[..], b"\xff", b"\xff\x0f", b"\xff\x0f\"\x05ab", b"\xff\x0fI\x02"] {
            assert_eq!(text(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_long_argument_has_a_long_length() {
        let bytes = Serialized::of_text_argument(&"x".repeat(300)).bytes;
        assert_eq!(&bytes[..7], [0xff, 15, b'A', 1, b'S', 0xac, 2]);
        assert_eq!(bytes.len(), 7 + 300 + 3);
    }
}
