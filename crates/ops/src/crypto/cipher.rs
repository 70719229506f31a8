//! Encryption with AES and RSA-OAEP.
//!
//! AES-GCM with the usual 12 bytes of IV is the library's; for the other lengths that programs
//! use there is an implementation in Rust. `None` is a failure that must not be told apart.

use aes_gcm::AesGcm;
use aes_gcm::aead::{AeadInOut, KeyInit, Nonce};
use aes_gcm::aes::cipher::consts;
use aes_gcm::aes::{Aes128, Aes192, Aes256};
use aes_kw::{KwAes128, KwAes192, KwAes256};
use aws_lc_rs::aead::{self, Aad, LessSafeKey, UnboundKey};
use aws_lc_rs::cipher::{
    self, DecryptionContext, EncryptingKey, EncryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OAEP_SHA512_MGF1SHA512,
    OaepAlgorithm, OaepPublicEncryptingKey, PublicEncryptingKey,
};
use subtle::ConstantTimeEq;

use super::Hash;
use super::key::Key;

/// Whether something is encrypted or decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Plain text becomes cipher text.
    Encrypt,
    /// Cipher text becomes plain text.
    Decrypt,
}

/// Bytes of a whole tag of AES-GCM.
const TAG_BYTES: usize = 16;

/// AES-GCM (NIST SP 800-38D) with a tag of up to 16 bytes behind the text. The IV has 8, 12, 16,
/// 24 or 32 bytes.
pub fn gcm(
    direction: Direction,
    key: &[u8],
    (iv, aad): (&[u8], &[u8]),
    tag_bytes: usize,
    data: &[u8],
) -> Option<Vec<u8>> {
    let seal = |text: &mut [u8]| seal(key, iv, aad, text);
    if direction == Direction::Encrypt {
        let mut text = data.to_vec();
        let tag = seal(&mut text)?;
        text.extend_from_slice(tag.get(..tag_bytes)?);
        return Some(text);
    }
    let (text, tag) = data.split_at_checked(data.len().checked_sub(tag_bytes)?)?;
    if tag_bytes == TAG_BYTES && iv.len() == aead::NONCE_LEN {
        let mut whole = data.to_vec();
        let nonce = aead::Nonce::try_assume_unique_for_key(iv).ok()?;
        let length = library_key(key)?.open_in_place(nonce, Aad::from(aad), &mut whole).ok()?.len();
        whole.truncate(length);
        return Some(whole);
    }
    // Decryption is the same key stream; the tag is that of the text it gives.
    let mut plain = text.to_vec();
    seal(&mut plain)?;
    let expected = seal(&mut plain.clone())?;
    bool::from(expected.get(..tag_bytes)?.ct_eq(tag)).then_some(plain)
}

/// Encrypts in place and gives the whole tag.
fn seal(key: &[u8], iv: &[u8], aad: &[u8], text: &mut [u8]) -> Option<[u8; TAG_BYTES]> {
    macro_rules! seal_with {
        ($($size:literal => $length:ty),*) => {
            match (iv.len(), key.len()) {
                $(
                    ($size, 16) => sealed::<AesGcm<Aes128, $length>>(key, iv, aad, text),
                    ($size, 24) => sealed::<AesGcm<Aes192, $length>>(key, iv, aad, text),
                    ($size, 32) => sealed::<AesGcm<Aes256, $length>>(key, iv, aad, text),
                )*
                _ => None,
            }
        };
    }
    if iv.len() == aead::NONCE_LEN {
        let nonce = aead::Nonce::try_assume_unique_for_key(iv).ok()?;
        let key = library_key(key)?;
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), text).ok()?;
        return tag.as_ref().try_into().ok();
    }
    seal_with!(8 => consts::U8, 16 => consts::U16, 24 => consts::U24, 32 => consts::U32)
}

fn sealed<C: AeadInOut + KeyInit>(
    key: &[u8],
    iv: &[u8],
    aad: &[u8],
    text: &mut [u8],
) -> Option<[u8; TAG_BYTES]> {
    let nonce = Nonce::<C>::try_from(iv).ok()?;
    let cipher = C::new_from_slice(key).ok()?;
    let tag = cipher.encrypt_inout_detached(&nonce, aad, text.into()).ok()?;
    tag.as_slice().try_into().ok()
}

fn library_key(key: &[u8]) -> Option<LessSafeKey> {
    let algorithm = match key.len() {
        16 => &aead::AES_128_GCM,
        24 => &aead::AES_192_GCM,
        32 => &aead::AES_256_GCM,
        _ => return None,
    };
    Some(LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?))
}

fn block_key(key: &[u8]) -> Option<UnboundCipherKey> {
    let algorithm = match key.len() {
        16 => &cipher::AES_128,
        24 => &cipher::AES_192,
        32 => &cipher::AES_256,
        _ => return None,
    };
    UnboundCipherKey::new(algorithm, key).ok()
}

/// AES-CBC with the padding of PKCS #7.
pub fn cbc(direction: Direction, key: &[u8], iv: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let iv = FixedLength::from(<&[u8; 16]>::try_from(iv).ok()?);
    let mut text = data.to_vec();
    match direction {
        Direction::Encrypt => {
            let key = PaddedBlockEncryptingKey::cbc_pkcs7(block_key(key)?).ok()?;
            key.less_safe_encrypt(&mut text, EncryptionContext::Iv128(iv)).ok()?;
        }
        Direction::Decrypt => {
            let key = PaddedBlockDecryptingKey::cbc_pkcs7(block_key(key)?).ok()?;
            let length = key.decrypt(&mut text, DecryptionContext::Iv128(iv)).ok()?.len();
            text.truncate(length);
        }
    }
    Some(text)
}

/// AES-CTR whose last `bits` bits count blocks and wrap around; either direction. `None` if
/// counters would repeat.
pub fn ctr(key: &[u8], counter: &[u8], bits: u32, data: &[u8]) -> Option<Vec<u8>> {
    let start = u128::from_be_bytes(counter.try_into().ok()?);
    let mask = u128::MAX.checked_shr(128 - bits)?;
    let blocks = data.len().div_ceil(16) as u128;
    if blocks.saturating_sub(1) > mask {
        return None;
    }
    let until_wrap = (mask - (start & mask)).saturating_add(1);
    let first = usize::try_from(until_wrap.saturating_mul(16)).unwrap_or(usize::MAX);
    let mut text = data.to_vec();
    let (before, after) = text.split_at_mut(first.min(data.len()));
    count(key, start, before)?;
    count(key, start & !mask, after)?;
    Some(text)
}

fn count(key: &[u8], counter: u128, text: &mut [u8]) -> Option<()> {
    let iv = FixedLength::from(&counter.to_be_bytes());
    let key = EncryptingKey::ctr(block_key(key)?).ok()?;
    key.less_safe_encrypt(text, EncryptionContext::Iv128(iv)).ok()?;
    Some(())
}

/// AES key wrap (RFC 3394).
pub fn key_wrap(direction: Direction, key: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    macro_rules! run {
        ($cipher:ty) => {{
            let cipher = <$cipher>::new_from_slice(key).ok()?;
            let mut out = vec![0; data.len() + 8];
            let length = match direction {
                Direction::Encrypt => cipher.wrap_key(data, &mut out).ok()?.len(),
                Direction::Decrypt => cipher.unwrap_key(data, &mut out).ok()?.len(),
            };
            out.truncate(length);
            Some(out)
        }};
    }
    match key.len() {
        16 => run!(KwAes128),
        24 => run!(KwAes192),
        32 => run!(KwAes256),
        _ => None,
    }
}

/// RSA-OAEP (RFC 8017 §7.1), with the same hash for text and mask.
pub fn oaep(key: &Key, hash: Hash, label: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let algorithm: &'static OaepAlgorithm = match hash {
        Hash::Sha1 => &OAEP_SHA1_MGF1SHA1,
        Hash::Sha256 => &OAEP_SHA256_MGF1SHA256,
        Hash::Sha384 => &OAEP_SHA384_MGF1SHA384,
        Hash::Sha512 => &OAEP_SHA512_MGF1SHA512,
    };
    match key {
        Key::RsaPublic(public) => {
            let key = PublicEncryptingKey::from_der(&public.spki).ok()?;
            let key = OaepPublicEncryptingKey::new(key).ok()?;
            let mut out = vec![0; key.ciphertext_size()];
            let length = key.encrypt(algorithm, data, &mut out, Some(label)).ok()?.len();
            out.truncate(length);
            Some(out)
        }
        Key::RsaPrivate(private) => {
            let key = private.decrypting()?;
            let mut out = vec![0; key.min_output_size()];
            let length = key.decrypt(algorithm, data, &mut out, Some(label)).ok()?.len();
            out.truncate(length);
            Some(out)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Direction, cbc, ctr, gcm, key_wrap};

    #[test]
    fn gcm_gives_what_nist_tested() {
        // Test case 3 of "The Galois/Counter Mode of Operation", with its first block.
        let key = [
            0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c, 0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30,
            0x83, 0x08,
        ];
        let iv = [0xca, 0xfe, 0xba, 0xbe, 0xfa, 0xce, 0xdb, 0xad, 0xde, 0xca, 0xf8, 0x88];
        let text = [
            0xd9, 0x31, 0x32, 0x25, 0xf8, 0x84, 0x06, 0xe5, 0xa5, 0x59, 0x09, 0xc5, 0xaf, 0xf5,
            0x26, 0x9a,
        ];
        let sealed = gcm(Direction::Encrypt, &key, (&iv, &[]), 16, &text).unwrap();
        assert_eq!(sealed[..4], [0x42, 0x83, 0x1e, 0xc2]);
    }

    #[test]
    fn a_counter_that_wraps_within_its_bits_leaves_the_rest_alone() {
        let key = [7; 16];
        let mut counter = [0xab; 16];
        counter[15] = 0xff;
        let text = ctr(&key, &counter, 8, &[0; 32]).unwrap();
        let mut wrapped = counter;
        wrapped[15] = 0;
        assert_eq!(text[16..], ctr(&key, &wrapped, 8, &[0; 16]).unwrap());
        assert_eq!(ctr(&key, &counter, 1, &[0; 33]), None, "counters would repeat");
    }

    proptest! {
        #[test]
        fn what_was_encrypted_is_decrypted(
            data: Vec<u8>,
            aad: Vec<u8>,
            key_bytes in prop::sample::select(&[16_usize, 24, 32]),
            iv_bytes in prop::sample::select(&[8_usize, 12, 16, 24, 32]),
            tag_bytes in prop::sample::select(&[4_usize, 8, 12, 13, 14, 15, 16]),
            flipped: prop::sample::Index,
        ) {
            let (key, iv) = (vec![3; key_bytes], vec![5; iv_bytes]);
            let run = |direction, data: &[u8]| gcm(direction, &key, (&iv, &aad), tag_bytes, data);
            let mut sealed = run(Direction::Encrypt, &data).unwrap();
            prop_assert_eq!(sealed.len(), data.len() + tag_bytes);
            prop_assert_eq!(run(Direction::Decrypt, &sealed), Some(data.clone()));
            let at = flipped.index(sealed.len());
            sealed[at] ^= 1;
            prop_assert_eq!(run(Direction::Decrypt, &sealed), None);

            let padded = cbc(Direction::Encrypt, &key, &[9; 16], &data).unwrap();
            prop_assert_eq!(cbc(Direction::Decrypt, &key, &[9; 16], &padded), Some(data));
            let wrapped = key_wrap(Direction::Encrypt, &key, &[1; 24]).unwrap();
            prop_assert_eq!(key_wrap(Direction::Decrypt, &key, &wrapped), Some(vec![1; 24]));
        }
    }
}
