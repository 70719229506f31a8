//! Random values for `crypto`, from the operating system; hashes of what comes in pieces;
//! comparisons that take the same time whatever they find; and what `crypto.subtle` does with keys.
//!
//! JavaScript checks arguments and words errors; what fails here gives null. What takes long
//! runs on a thread that may wait.

mod checksum;
mod cipher;
mod curve;
mod der;
mod derive;
mod key;
mod signature;

use std::cell::RefCell;
use std::num::NonZeroU32;

use bytes::Bytes;
use deno_core::{GarbageCollected, JsBuffer, OpState, cppgc, op2, v8};
use sha2::digest::DynDigest;
use subtle::ConstantTimeEq;
use worker::offload::offload;

use crate::body::bytes_to_v8;
use crate::dispatch::instance;
use crate::error::JsError;
use checksum::Checksum;
use cipher::Direction;
use key::Key;
use signature::{Padding, Signed};

/// A hash that is being computed; empty once it was given out.
pub struct Hasher(RefCell<Option<Hashing>>);

enum Hashing {
    Digest(Box<dyn DynDigest>),
    Checksum(Checksum),
}

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
    let hashing = Hashing::Digest(hasher);
    cppgc::make_cppgc_object(scope, Hasher(RefCell::new(Some(hashing)))).into()
}

/// Begins a checksum (`crc32`, `crc32c`, `crc64nvme`); null for any other name.
#[op2]
pub fn op_crypto_checksum<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[string] name: &str,
) -> v8::Local<'s, v8::Value> {
    let Some(sum) = Checksum::begin(name) else { return v8::null(scope).into() };
    let hashing = Hashing::Checksum(sum);
    cppgc::make_cppgc_object(scope, Hasher(RefCell::new(Some(hashing)))).into()
}

/// Goes on with a hash; one that was given out stays as it is.
#[op2(fast)]
pub fn op_crypto_hasher_update(#[cppgc] hasher: &Hasher, #[buffer] bytes: &[u8]) {
    match hasher.0.borrow_mut().as_mut() {
        Some(Hashing::Digest(digest)) => digest.update(bytes),
        Some(Hashing::Checksum(sum)) => sum.update(bytes),
        None => {}
    }
}

/// Ends a hash: a `Uint8Array`.
#[op2]
pub fn op_crypto_hasher_finish<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] hasher: &Hasher,
) -> v8::Local<'s, v8::Uint8Array> {
    let hash = match hasher.0.take() {
        Some(Hashing::Digest(digest)) => digest.finalize().into_vec(),
        Some(Hashing::Checksum(sum)) => sum.finish(),
        None => Vec::new(),
    };
    bytes_to_v8(scope, Bytes::from(hash))
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

/// The hashes keys are used with (FIPS 180-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// The hash of this name; callers without one pass an empty text and get one that is not used.
    fn of(name: &str) -> Hash {
        match name {
            "SHA-1" => Hash::Sha1,
            "SHA-384" => Hash::Sha384,
            "SHA-512" => Hash::Sha512,
            _ => Hash::Sha256,
        }
    }
}

/// What an op gives that may fail: an object of V8, or null.
type Given<'s> = v8::Local<'s, v8::Value>;

fn handle<'s>(scope: &mut v8::PinScope<'s, '_>, key: Option<Key>) -> Given<'s> {
    match key {
        Some(key) => cppgc::make_cppgc_object(scope, key).into(),
        None => v8::null(scope).into(),
    }
}

fn bytes<'s>(scope: &mut v8::PinScope<'s, '_>, bytes: Option<Vec<u8>>) -> Given<'s> {
    match bytes {
        Some(bytes) => bytes_to_v8(scope, Bytes::from(bytes)).into(),
        None => v8::null(scope).into(),
    }
}

/// A key of these bytes.
#[op2]
pub fn op_crypto_secret<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[buffer] secret: &[u8],
) -> v8::Local<'s, v8::Value> {
    handle(scope, Some(Key::Secret(secret.to_vec())))
}

/// A new private key of a curve.
#[op2]
pub fn op_crypto_generate<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[string] kind: &str,
) -> v8::Local<'s, v8::Value> {
    handle(scope, Key::generate(kind))
}

/// A new RSA key as PKCS #8, which promise `slot` gets.
#[op2(fast)]
pub fn op_crypto_generate_rsa(state: &mut OpState, bits: u32, slot: u32) {
    offload(&instance(state), slot, move || key::generate_rsa(bits));
}

/// Reads a key in a binary format; null if it is none.
#[op2]
pub fn op_crypto_import<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[string] kind: &str,
    #[string] format: &str,
    #[buffer] bytes: &[u8],
) -> v8::Local<'s, v8::Value> {
    handle(scope, Key::import(kind, format, bytes))
}

/// Reads a key from the numbers of a JSON Web Key; null if it is none.
#[op2]
pub fn op_crypto_import_parts<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[string] kind: &str,
    #[serde] parts: Vec<JsBuffer>,
) -> v8::Local<'s, v8::Value> {
    let parts: Vec<&[u8]> = parts.iter().map(|part| &**part).collect();
    handle(scope, Key::from_parts(kind, &parts))
}

/// The public half of a private key.
#[op2]
pub fn op_crypto_public<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] key: &Key,
) -> v8::Local<'s, v8::Value> {
    handle(scope, key.public())
}

/// A key in its binary format.
#[op2]
pub fn op_crypto_export<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] key: &Key,
    is_raw: bool,
) -> v8::Local<'s, v8::Value> {
    bytes(scope, key.export(is_raw))
}

/// The numbers of a key's JSON Web Key, in a fixed order.
#[op2]
pub fn op_crypto_parts<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] key: &Key,
) -> v8::Local<'s, v8::Value> {
    let parts = key.parts().unwrap_or_default();
    let parts: Vec<Given<'_>> = parts.into_iter().map(|part| bytes(scope, Some(part))).collect();
    v8::Array::new_with_elements(scope, &parts).into()
}

/// Encrypts or decrypts with AES. `iv` is the counter of AES-CTR, and `number` the bits of that
/// counter or the bytes of a tag; `extra` is data that is authenticated only. Null if it fails.
#[op2]
#[allow(clippy::too_many_arguments, reason = "one flat call per operation")]
pub fn op_crypto_cipher<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] key: &Key,
    #[string] algorithm: &str,
    is_decryption: bool,
    #[buffer] iv: &[u8],
    #[buffer] extra: &[u8],
    number: u32,
    #[buffer] data: &[u8],
) -> v8::Local<'s, v8::Value> {
    let direction = if is_decryption { Direction::Decrypt } else { Direction::Encrypt };
    let Key::Secret(key) = key else { return v8::null(scope).into() };
    let text = match algorithm {
        "AES-GCM" => cipher::gcm(direction, key, (iv, extra), number as usize, data),
        "AES-CBC" => cipher::cbc(direction, key, iv, data),
        "AES-CTR" => cipher::ctr(key, iv, number, data),
        "AES-KW" => cipher::key_wrap(direction, key, data),
        _ => None,
    };
    bytes(scope, text)
}

/// Encrypts with an RSA public key or decrypts with a private one; null if it fails.
#[op2]
pub fn op_crypto_oaep<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] key: &Key,
    #[string] hash: &str,
    #[buffer] label: &[u8],
    #[buffer] data: &[u8],
) -> v8::Local<'s, v8::Value> {
    bytes(scope, cipher::oaep(key, Hash::of(hash), label, data))
}

/// Signs; `salt` is the length of the salt of RSA-PSS, or -1 for other algorithms. Null if it
/// fails, undefined if the library lacks the combination.
#[op2]
pub fn op_crypto_sign<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] key: &Key,
    #[string] hash: &str,
    salt: i32,
    #[buffer] data: &[u8],
) -> v8::Local<'s, v8::Value> {
    match signature::sign(key, padding(salt), Hash::of(hash), data) {
        Signed::Done(signature) => bytes(scope, Some(signature)),
        Signed::Failed => v8::null(scope).into(),
        Signed::Missing => v8::undefined(scope).into(),
    }
}

/// Whether a signature holds; null and undefined as in [`op_crypto_sign`].
#[op2]
#[allow(clippy::too_many_arguments, reason = "one flat call per operation")]
pub fn op_crypto_verify<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] key: &Key,
    #[string] hash: &str,
    salt: i32,
    #[buffer] signature: &[u8],
    #[buffer] data: &[u8],
) -> v8::Local<'s, v8::Value> {
    match signature::verify(key, (padding(salt), Hash::of(hash)), signature, data) {
        Signed::Done(holds) => v8::Boolean::new(scope, holds).into(),
        Signed::Failed => v8::null(scope).into(),
        Signed::Missing => v8::undefined(scope).into(),
    }
}

fn padding(salt: i32) -> Padding {
    usize::try_from(salt).map_or(Padding::Pkcs1, Padding::Pss)
}

/// The secret a private key and somebody else's public key agree on; null if they do not fit.
#[op2]
pub fn op_crypto_agree<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] private: &Key,
    #[cppgc] public: &Key,
) -> v8::Local<'s, v8::Value> {
    bytes(scope, derive::agree(private, public))
}

/// HKDF; null if it fails.
#[op2]
#[allow(clippy::too_many_arguments, reason = "one flat call per operation")]
pub fn op_crypto_hkdf<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] key: &Key,
    #[string] hash: &str,
    #[buffer] salt: &[u8],
    #[buffer] info: &[u8],
    length: u32,
) -> v8::Local<'s, v8::Value> {
    let derived = match key {
        Key::Secret(secret) => {
            derive::expand(secret, Hash::of(hash), (salt, info), length as usize)
        }
        _ => None,
    };
    bytes(scope, derived)
}

/// PBKDF2, whose bytes promise `slot` gets.
#[op2(fast)]
#[allow(clippy::too_many_arguments, reason = "one flat call per operation")]
pub fn op_crypto_pbkdf2(
    state: &mut OpState,
    #[cppgc] key: &Key,
    #[string] hash: &str,
    #[buffer] salt: &[u8],
    iterations: u32,
    length: u32,
    slot: u32,
) {
    let secret = match key {
        Key::Secret(secret) => secret.clone(),
        _ => Vec::new(),
    };
    let (hash, salt) = (Hash::of(hash), salt.to_vec());
    let iterations = NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN);
    offload(&instance(state), slot, move || {
        Some(derive::stretch(&secret, hash, &salt, iterations, length as usize))
    });
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
