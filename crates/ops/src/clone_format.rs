//! V8's structured-clone wire format, as far as one must read it to know what is in a clone.
//!
//! Layout (version 15): a tag byte, then what belongs to it; containers are an opening tag, their
//! contents, and a closing tag with counts.

/// Whether an error may be in a clone. False is certain; true is a guess where something is met
/// that is not known here.
pub fn may_have_error(bytes: &[u8]) -> bool {
    // Most clones do not even have the letter followed by what can come after it.
    let mut pairs = bytes.windows(2);
    if !pairs.any(|pair| pair[0] == b'r' && ERROR_TAGS.contains(&pair[1])) {
        return false;
    }
    let mut reader = Reader { rest: bytes };
    while let Some(tag) = reader.byte() {
        match reader.skip(tag) {
            Some(()) => {}
            None => return true,
        }
    }
    false
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn varint(&mut self) -> Option<usize> {
        let mut value = 0_usize;
        for shift in (0..usize::BITS).step_by(7) {
            let byte = self.byte()?;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn bytes(&mut self, count: usize) -> Option<()> {
        self.rest = self.rest.get(count..)?;
        Some(())
    }

    /// Skips what belongs to a tag; `None` for an error and for what is not known.
    fn skip(&mut self, tag: u8) -> Option<()> {
        match tag {
            // Padding, oddballs, openings and holes.
            b'\0' | b'_' | b'0' | b'T' | b'F' | b'-' | b'o' | b';' | b'\'' | b's' | b'x' | b'y' => {
            }
            // Versions, integers, references, lengths and counts.
            0xff | b'I' | b'U' | b'^' | b'A' | b'a' | b'{' | b':' | b',' | b't' => {
                self.varint()?;
            }
            b'$' | b'@' => {
                self.varint()?;
                self.varint()?;
            }
            b'N' | b'D' | b'n' => self.bytes(8)?,
            b'"' | b'S' | b'c' | b'B' => {
                let length = self.varint()?;
                self.bytes(length)?;
            }
            b'Z' | b'z' => {
                let length = self.varint()? >> 1;
                self.bytes(length)?;
            }
            b'R' => {
                let tag = self.byte()?;
                self.skip(tag)?;
                self.varint()?;
            }
            b'V' => {
                self.byte()?;
                self.varint()?;
                self.varint()?;
                self.varint()?;
            }
            _ => return None,
        }
        Some(())
    }
}

/// What can follow the tag of an error: its type, its message, cause or stack, or its end.
const ERROR_TAGS: &[u8] = b"ERFSTUmsc.";

#[cfg(test)]
mod tests {
    use super::may_have_error;

    #[test]
    fn text_that_looks_like_an_error_is_none() {
        assert!(!may_have_error(b"\xff\x0f\"\x05users"));
        assert!(!may_have_error(b"\xff\x0fo\"\x02rs\"\x02rmI\x04{\x02"));
        assert!(!may_have_error(b"\xff\x0fA\x02\"\x02rEN\0\0\0\0\0\0rT$\0\x02"));
    }

    #[test]
    fn an_error_is_seen_wherever_it_is() {
        assert!(may_have_error(b"\xff\x0frTm\"\x01x."));
        assert!(may_have_error(b"\xff\x0fo\"\x02rsA\x01r.$\0\x01{\x01"));
    }

    #[test]
    fn what_is_not_known_may_be_one() {
        assert!(may_have_error(b"\xff\x0f?rs"));
        assert!(may_have_error(b"\xff\x0f\"\x7frs"));
    }
}
