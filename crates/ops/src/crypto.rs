//! Random values for `crypto`, from the operating system; hashes of what comes in pieces;
//! comparisons that take the same time whatever they find.

use std::cell::RefCell;

use bytes::Bytes;
use deno_core::{GarbageCollected, cppgc, op2, v8};
use sha2::digest::DynDigest;
use subtle::ConstantTimeEq;

use crate::body::bytes_to_v8;
use crate::error::JsError;

/// A hash that is being computed; empty once it was given out.
pub struct Hasher(RefCell<Option<Box<dyn DynDigest>>>);

// SAFETY: nothing in a hasher points into V8's heap, so there is nothing to trace.
unsafe impl GarbageCollected for Hasher {
    fn trace(&self, _visitor: &mut v8::cppgc::Visitor) {}

    fn get_name(&self) -> &'static std::ffi::CStr {
        c"Hasher"
    }
}

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
#[class("DOMExceptionOperationError")]
#[error("the operating system has no random bytes: {0}")]
pub struct RandomError(getrandom::Error);

/// Fills a buffer with random bytes.
#[op2(fast)]
pub fn op_crypto_random_values(#[buffer] bytes: &mut [u8]) -> Result<(), RandomError> {
    getrandom::fill(bytes).map_err(RandomError)
}

/// A version 4 UUID (RFC 9562 §5.4).
#[op2]
#[string]
pub fn op_crypto_random_uuid() -> Result<String, RandomError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(RandomError)?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    Ok(hyphenated(bytes))
}

/// Begins a hash; null for an algorithm nobody knows.
#[op2]
pub fn op_crypto_hasher<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[string] algorithm: &str,
) -> v8::Local<'s, v8::Value> {
    let hasher: Box<dyn DynDigest> = match algorithm {
        "MD5" => Box::new(md5::Md5::default()),
        "SHA-1" => Box::new(sha1::Sha1::default()),
        "SHA-256" => Box::new(sha2::Sha256::default()),
        "SHA-384" => Box::new(sha2::Sha384::default()),
        "SHA-512" => Box::new(sha2::Sha512::default()),
        _ => return v8::null(scope).into(),
    };
    cppgc::make_cppgc_object(scope, Hasher(RefCell::new(Some(hasher)))).into()
}

/// Goes on with a hash; one that was given out stays as it is.
#[op2(fast)]
pub fn op_crypto_hasher_update(#[cppgc] hasher: &Hasher, #[buffer] bytes: &[u8]) {
    if let Some(hasher) = hasher.0.borrow_mut().as_mut() {
        hasher.update(bytes);
    }
}

/// Ends a hash: a `Uint8Array`.
#[op2]
pub fn op_crypto_hasher_finish<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] hasher: &Hasher,
) -> v8::Local<'s, v8::Uint8Array> {
    let hash = hasher.0.take().map(DynDigest::finalize).unwrap_or_default();
    bytes_to_v8(scope, Bytes::from(hash.into_vec()))
}

/// Compares in a time that depends on the length only.
#[op2(fast)]
pub fn op_crypto_timing_safe_equal(
    #[buffer] a: &[u8],
    #[buffer] b: &[u8],
) -> Result<bool, JsError> {
    if a.len() != b.len() {
        return Err(JsError::type_error("Input buffers must have the same byte length."));
    }
    Ok(a.ct_eq(b).into())
}

fn hyphenated(bytes: [u8; 16]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::hyphenated;

    #[test]
    fn uuid_is_written_in_five_groups() {
        let bytes = std::array::from_fn(|index| index as u8 * 17);
        assert_eq!(hyphenated(bytes), "00112233-4455-6677-8899-aabbccddeeff");
    }
}
