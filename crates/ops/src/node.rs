//! What the modules of Node.js need from the host: texts of bytes, comparisons and hashes.
//! Only workers with `nodejs_compat` reach these.

use std::cell::RefCell;

use deno_core::{GarbageCollected, cppgc, op2, v8};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512, Sha512_256};
use subtle::ConstantTimeEq;

use crate::error::JsError;

/// A hash or HMAC that is being computed; `None` once it was taken.
pub struct HashHandle {
    hashing: RefCell<Option<Box<dyn Hashing>>>,
}

// SAFETY: nothing in a handle points into V8's heap, so there is nothing to trace.
unsafe impl GarbageCollected for HashHandle {
    fn trace(&self, _visitor: &mut v8::cppgc::Visitor) {}

    fn get_name(&self) -> &'static std::ffi::CStr {
        c"HashHandle"
    }
}

/// What all algorithms have in common.
trait Hashing {
    fn update(&mut self, bytes: &[u8]);
    fn finish(self: Box<Self>) -> Vec<u8>;
    fn copy(&self) -> Box<dyn Hashing>;
}

#[derive(Clone)]
struct Plain<D>(D);

#[derive(Clone)]
struct Keyed<M>(M);

impl<D: Digest + Clone + 'static> Hashing for Plain<D> {
    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(self: Box<Self>) -> Vec<u8> {
        self.0.finalize().to_vec()
    }

    fn copy(&self) -> Box<dyn Hashing> {
        Box::new(self.clone())
    }
}

impl<M: Mac + Clone + 'static> Hashing for Keyed<M> {
    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(self: Box<Self>) -> Vec<u8> {
        self.0.finalize().into_bytes().to_vec()
    }

    fn copy(&self) -> Box<dyn Hashing> {
        Box::new(self.clone())
    }
}

/// A host name with its labels in Unicode; empty for what is no host name (UTS #46).
#[op2]
#[string]
pub fn op_node_domain_to_unicode(#[string] name: &str) -> String {
    let (text, result) = idna::domain_to_unicode(name);
    result.map_or_else(|_| String::new(), |()| text)
}

/// A label in Punycode (RFC 3492), without the prefix; null for one that is too long.
#[op2]
#[string]
pub fn op_node_punycode(#[string] label: &str) -> Option<String> {
    idna::punycode::encode_str(label)
}

/// The label that Punycode stands for; null for what is none.
#[op2]
#[string]
pub fn op_node_punycode_decode(#[string] text: &str) -> Option<String> {
    idna::punycode::decode_to_string(text)
}

/// Begins a hash by its name in lower case, or null for a name nobody knows.
#[op2]
pub fn op_node_hash<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[string] algorithm: &str,
) -> v8::Local<'s, v8::Value> {
    wrap(scope, plain(algorithm))
}

/// Begins an HMAC with a key, or null for a name nobody knows.
#[op2]
pub fn op_node_hmac<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[string] algorithm: &str,
    #[buffer] key: &[u8],
) -> v8::Local<'s, v8::Value> {
    wrap(scope, keyed(algorithm, key))
}

/// Adds bytes; false once the digest was taken.
#[op2(fast)]
pub fn op_node_hash_update(#[cppgc] hash: &HashHandle, #[buffer] bytes: &[u8]) -> bool {
    let mut hashing = hash.hashing.borrow_mut();
    if let Some(hashing) = &mut *hashing {
        hashing.update(bytes);
    }
    hashing.is_some()
}

/// Takes the digest.
#[op2]
#[buffer]
pub fn op_node_hash_digest(#[cppgc] hash: &HashHandle) -> Result<Vec<u8>, JsError> {
    let hashing = hash.hashing.take();
    Ok(hashing.ok_or_else(|| JsError::type_error("Digest already called"))?.finish())
}

/// A hash that goes on from the same state, or null once the digest was taken.
#[op2]
pub fn op_node_hash_copy<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] hash: &HashHandle,
) -> v8::Local<'s, v8::Value> {
    let copy = hash.hashing.borrow().as_ref().map(|hashing| hashing.copy());
    wrap(scope, copy)
}

/// Compares bytes of the same length in a time that does not depend on them.
#[op2(fast)]
pub fn op_node_equal(#[buffer] a: &[u8], #[buffer] b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// -1, 0 or 1, as bytes are ordered.
#[op2(fast)]
#[smi]
pub fn op_node_compare(#[buffer] a: &[u8], #[buffer] b: &[u8]) -> i32 {
    a.cmp(b) as i32
}

/// True for well-formed UTF-8.
#[op2(fast)]
pub fn op_node_is_utf8(#[buffer] bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok()
}

/// The text of bytes: 0 as UTF-8, 1 as Latin-1, 2 as ASCII, 3 as UTF-16.
#[op2]
pub fn op_node_text<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[buffer] bytes: &[u8],
    #[smi] encoding: u32,
) -> Result<v8::Local<'s, v8::String>, JsError> {
    let normal = v8::NewStringType::Normal;
    let text = match encoding {
        0 if !bytes.is_ascii() => v8::String::new(scope, &String::from_utf8_lossy(bytes)),
        0 | 1 => v8::String::new_from_one_byte(scope, bytes, normal),
        2 => {
            let ascii: Vec<u8> = bytes.iter().map(|byte| byte & 0x7f).collect();
            v8::String::new_from_one_byte(scope, &ascii, normal)
        }
        _ => {
            let pairs = bytes.chunks_exact(2);
            let units: Vec<u16> =
                pairs.map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
            v8::String::new_from_two_byte(scope, &units, normal)
        }
    };
    text.ok_or_else(|| {
        JsError::type_error("Cannot create a string longer than 0x1fffffe8 characters")
    })
}

fn wrap<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    hashing: Option<Box<dyn Hashing>>,
) -> v8::Local<'s, v8::Value> {
    match hashing {
        Some(hashing) => {
            let handle = HashHandle { hashing: RefCell::new(Some(hashing)) };
            cppgc::make_cppgc_object(scope, handle).into()
        }
        None => v8::null(scope).into(),
    }
}

fn plain(algorithm: &str) -> Option<Box<dyn Hashing>> {
    Some(match algorithm {
        "md5" => Box::new(Plain(Md5::new())),
        "sha1" => Box::new(Plain(Sha1::new())),
        "sha224" => Box::new(Plain(Sha224::new())),
        "sha256" => Box::new(Plain(Sha256::new())),
        "sha384" => Box::new(Plain(Sha384::new())),
        "sha512" => Box::new(Plain(Sha512::new())),
        "sha512-256" => Box::new(Plain(Sha512_256::new())),
        _ => return None,
    })
}

fn keyed(algorithm: &str, key: &[u8]) -> Option<Box<dyn Hashing>> {
    fn start<M: Mac + KeyInit + Clone + 'static>(key: &[u8]) -> Option<Box<dyn Hashing>> {
        // HMAC takes keys of any length.
        let mac = <M as KeyInit>::new_from_slice(key).ok()?;
        Some(Box::new(Keyed(mac)))
    }
    match algorithm {
        "md5" => start::<Hmac<Md5>>(key),
        "sha1" => start::<Hmac<Sha1>>(key),
        "sha224" => start::<Hmac<Sha224>>(key),
        "sha256" => start::<Hmac<Sha256>>(key),
        "sha384" => start::<Hmac<Sha384>>(key),
        "sha512" => start::<Hmac<Sha512>>(key),
        "sha512-256" => start::<Hmac<Sha512_256>>(key),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn hashes_and_macs_are_those_of_the_standards() {
        let digest = |mut hashing: Box<dyn Hashing>, text: &str| {
            hashing.update(text.as_bytes());
            hex(&hashing.finish())
        };
        let md5 = digest(plain("md5").unwrap(), "abc");
        assert_eq!(md5, "900150983cd24fb0d6963f7d28e17f72");
        let sha1 = digest(plain("sha1").unwrap(), "abc");
        assert_eq!(sha1, "a9993e364706816aba3e25717850c26c9cd0d89d");
        // RFC 4231, case 2.
        let mac = digest(keyed("sha256", b"Jefe").unwrap(), "what do ya want for nothing?");
        assert_eq!(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert!(plain("sha3").is_none() && keyed("sha3", b"").is_none());
    }

    #[test]
    fn a_copy_goes_on_by_itself() {
        let mut first = plain("sha256").unwrap();
        first.update(b"a");
        let mut copy = first.copy();
        copy.update(b"b");
        assert_ne!(first.finish(), copy.finish());
    }
}
