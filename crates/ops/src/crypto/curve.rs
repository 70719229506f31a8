//! The three NIST curves, with what the cryptographic library can do on each.

use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384, ECDH_P521};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA256_FIXED, ECDSA_P521_SHA256_FIXED_SIGNING,
    ECDSA_P521_SHA384_FIXED, ECDSA_P521_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm,
};

use super::Hash;

/// A curve of FIPS 186.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// secp256r1.
    P256,
    /// secp384r1.
    P384,
    /// secp521r1.
    P521,
}

impl Curve {
    /// The curve of this name in the Web Cryptography API.
    pub fn of(name: &str) -> Option<Curve> {
        match name {
            "P-256" => Some(Curve::P256),
            "P-384" => Some(Curve::P384),
            "P-521" => Some(Curve::P521),
            _ => None,
        }
    }

    /// Bytes of a coordinate.
    pub fn field_bytes(self) -> usize {
        match self {
            Curve::P256 => 32,
            Curve::P384 => 48,
            Curve::P521 => 66,
        }
    }

    /// How to sign with a hash. The library has the usual hash of each curve, and all of P-521.
    pub fn signing(self, hash: Hash) -> Option<&'static EcdsaSigningAlgorithm> {
        match (self, hash) {
            (Curve::P256, Hash::Sha256) => Some(&ECDSA_P256_SHA256_FIXED_SIGNING),
            (Curve::P384, Hash::Sha384) => Some(&ECDSA_P384_SHA384_FIXED_SIGNING),
            (Curve::P521, Hash::Sha256) => Some(&ECDSA_P521_SHA256_FIXED_SIGNING),
            (Curve::P521, Hash::Sha384) => Some(&ECDSA_P521_SHA384_FIXED_SIGNING),
            (Curve::P521, Hash::Sha512) => Some(&ECDSA_P521_SHA512_FIXED_SIGNING),
            _ => None,
        }
    }

    /// How to verify with a hash; the same pairs as in [`Curve::signing`].
    pub fn verification(self, hash: Hash) -> Option<&'static EcdsaVerificationAlgorithm> {
        match (self, hash) {
            (Curve::P256, Hash::Sha256) => Some(&ECDSA_P256_SHA256_FIXED),
            (Curve::P384, Hash::Sha384) => Some(&ECDSA_P384_SHA384_FIXED),
            (Curve::P521, Hash::Sha256) => Some(&ECDSA_P521_SHA256_FIXED),
            (Curve::P521, Hash::Sha384) => Some(&ECDSA_P521_SHA384_FIXED),
            (Curve::P521, Hash::Sha512) => Some(&ECDSA_P521_SHA512_FIXED),
            _ => None,
        }
    }

    /// How to sign with the curve's usual hash.
    pub fn own_signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Curve::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
            Curve::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
            Curve::P521 => &ECDSA_P521_SHA512_FIXED_SIGNING,
        }
    }

    /// How to verify with the curve's usual hash.
    pub fn own_verification(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Curve::P256 => &ECDSA_P256_SHA256_FIXED,
            Curve::P384 => &ECDSA_P384_SHA384_FIXED,
            Curve::P521 => &ECDSA_P521_SHA512_FIXED,
        }
    }

    /// How two keys of the curve agree.
    pub fn agreement(self) -> &'static agreement::Algorithm {
        match self {
            Curve::P256 => &ECDH_P256,
            Curve::P384 => &ECDH_P384,
            Curve::P521 => &ECDH_P521,
        }
    }

    /// What stands before the point in a key's `SubjectPublicKeyInfo` (RFC 5480).
    pub fn spki_prefix(self) -> &'static [u8] {
        match self {
            Curve::P256 => {
                b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\
                \x48\xce\x3d\x03\x01\x07\x03\x42\x00"
            }
            Curve::P384 => {
                b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\
                \x04\x00\x22\x03\x62\x00"
            }
            Curve::P521 => {
                b"\x30\x81\x9b\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\
                \x81\x04\x00\x23\x03\x81\x86\x00"
            }
        }
    }

    /// A point that is not compressed, from its coordinates (SEC 1 §2.3.3).
    pub fn point(self, x: &[u8], y: &[u8]) -> Option<Vec<u8>> {
        Some([&[4][..], &self.padded(x)?, &self.padded(y)?].concat())
    }

    /// A number in as many bytes as a coordinate has; `None` if it has more.
    pub fn padded(self, number: &[u8]) -> Option<Vec<u8>> {
        let zeros = self.field_bytes().checked_sub(number.len())?;
        Some([&vec![0; zeros][..], number].concat())
    }
}
