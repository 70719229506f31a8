//! Secrets from other secrets: ECDH, X25519, HKDF and PBKDF2.

use std::num::NonZeroU32;

use aws_lc_rs::agreement::{self, UnparsedPublicKey, X25519};
use aws_lc_rs::encoding::{AsBigEndian, EcPrivateKeyBin};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::{hkdf, pbkdf2};

use super::Hash;
use super::key::Key;

/// The secret that two keys agree on; `None` if they do not fit.
pub fn agree(private: &Key, public: &Key) -> Option<Vec<u8>> {
    let keep = |secret: &[u8]| Ok(secret.to_vec());
    match (private, public) {
        (Key::EcPrivate(curve, pair), Key::EcPublic(other, point)) if curve == other => {
            let scalar: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().ok()?;
            let algorithm = curve.agreement();
            let key = agreement::PrivateKey::from_private_key(algorithm, scalar.as_ref()).ok()?;
            agreement::agree(&key, UnparsedPublicKey::new(algorithm, point), Unspecified, keep).ok()
        }
        (Key::XPrivate(key), Key::XPublic(point)) => {
            agreement::agree(key, UnparsedPublicKey::new(&X25519, point), Unspecified, keep).ok()
        }
        _ => None,
    }
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF (RFC 5869); `None` if that many bytes cannot be had.
pub fn expand(
    secret: &[u8],
    hash: Hash,
    (salt, info): (&[u8], &[u8]),
    length: usize,
) -> Option<Vec<u8>> {
    let algorithm = match hash {
        Hash::Sha1 => hkdf::HKDF_SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => hkdf::HKDF_SHA256,
        Hash::Sha384 => hkdf::HKDF_SHA384,
        Hash::Sha512 => hkdf::HKDF_SHA512,
    };
    let mut out = vec![0; length];
    let pseudo_random = hkdf::Salt::new(algorithm, salt).extract(secret);
    pseudo_random.expand(&[info], Length(length)).ok()?.fill(&mut out).ok()?;
    Some(out)
}

/// PBKDF2 (RFC 8018 §5.2), which takes as long as it is told to.
#[must_use]
pub fn stretch(
    secret: &[u8],
    hash: Hash,
    salt: &[u8],
    iterations: NonZeroU32,
    length: usize,
) -> Vec<u8> {
    let algorithm = match hash {
        Hash::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
        Hash::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        Hash::Sha384 => pbkdf2::PBKDF2_HMAC_SHA384,
        Hash::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
    };
    let mut out = vec![0; length];
    pbkdf2::derive(algorithm, iterations, salt, secret, &mut out);
    out
}
