//! The keys of `crypto.subtle`: what they are made of, and how they are read and written.
//!
//! A key is parsed once, when it is made. Private elliptic keys give their public half; of RSA
//! keys the parts of a JSON Web Key are read from the DER that the library writes.

use std::cell::OnceCell;
use std::ffi::CStr;

use aws_lc_rs::agreement::{self, X25519};
use aws_lc_rs::encoding::{AsBigEndian, AsDer, Curve25519SeedBin, EcPrivateKeyBin, Pkcs8V1Der};
use aws_lc_rs::rsa::{
    self, KeyPairComponents, KeySize, OaepPrivateDecryptingKey, PrivateDecryptingKey,
    PublicKeyComponents,
};
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use deno_core::{GarbageCollected, v8};

use super::curve::Curve;
use super::der;

/// Key material of one `CryptoKey`.
pub enum Key {
    /// Bytes of a symmetric key, or a password.
    Secret(Vec<u8>),
    /// An RSA public key.
    RsaPublic(RsaPublic),
    /// An RSA key pair.
    RsaPrivate(RsaPrivate),
    /// A point on a NIST curve, not compressed.
    EcPublic(Curve, Vec<u8>),
    /// A key pair on a NIST curve.
    EcPrivate(Curve, EcdsaKeyPair),
    /// A public key for signatures on Curve25519.
    EdPublic(Vec<u8>),
    /// A key pair for signatures on Curve25519.
    EdPrivate(Ed25519KeyPair),
    /// A public key for agreement on Curve25519.
    XPublic(Vec<u8>),
    /// A private key for agreement on Curve25519.
    XPrivate(agreement::PrivateKey),
}

// SAFETY: nothing in a key points into V8's heap, so there is nothing to trace.
unsafe impl GarbageCollected for Key {
    fn trace(&self, _visitor: &mut v8::cppgc::Visitor) {}

    fn get_name(&self) -> &'static CStr {
        c"Key"
    }
}

/// An RSA public key in its two encodings.
pub struct RsaPublic {
    /// `RSAPublicKey` (RFC 8017).
    pub pkcs1: Vec<u8>,
    /// `SubjectPublicKeyInfo` (RFC 5280).
    pub spki: Vec<u8>,
}

/// An RSA key pair; what decrypts is made of it when it is first needed.
pub struct RsaPrivate {
    /// The pair.
    pub pair: rsa::KeyPair,
    decrypting: OnceCell<OaepPrivateDecryptingKey>,
}

impl RsaPrivate {
    fn new(pair: rsa::KeyPair) -> RsaPrivate {
        RsaPrivate { pair, decrypting: OnceCell::new() }
    }

    /// The pair as a key that decrypts.
    pub fn decrypting(&self) -> Option<&OaepPrivateDecryptingKey> {
        if self.decrypting.get().is_none() {
            let key = PrivateDecryptingKey::from_pkcs8(pkcs8(&self.pair)?.as_ref()).ok()?;
            let _ = self.decrypting.set(OaepPrivateDecryptingKey::new(key).ok()?);
        }
        self.decrypting.get()
    }
}

/// A new RSA key pair as PKCS #8; takes up to seconds. `None` for sizes the library lacks.
#[must_use]
pub fn generate_rsa(bits: u32) -> Option<Vec<u8>> {
    let size = match bits {
        2048 => KeySize::Rsa2048,
        3072 => KeySize::Rsa3072,
        4096 => KeySize::Rsa4096,
        8192 => KeySize::Rsa8192,
        _ => return None,
    };
    Some(pkcs8(&rsa::KeyPair::generate(size).ok()?)?.as_ref().to_vec())
}

fn pkcs8(key: &impl AsDer<Pkcs8V1Der<'static>>) -> Option<Pkcs8V1Der<'static>> {
    key.as_der().ok()
}

impl Key {
    /// A new key pair of a curve; `None` for a name that is none.
    pub fn generate(kind: &str) -> Option<Key> {
        Some(match kind {
            "Ed25519" => Key::EdPrivate(Ed25519KeyPair::generate().ok()?),
            "X25519" => Key::XPrivate(agreement::PrivateKey::generate(&X25519).ok()?),
            _ => {
                let curve = Curve::of(kind)?;
                Key::EcPrivate(curve, EcdsaKeyPair::generate(curve.own_signing()).ok()?)
            }
        })
    }

    /// Reads a key in the format `raw`, `spki` or `pkcs8`; `kind` is `RSA` or the curve's name.
    pub fn import(kind: &str, format: &str, bytes: &[u8]) -> Option<Key> {
        match (kind, format) {
            ("RSA", "spki") => Key::rsa_public(bytes),
            ("RSA", "pkcs8") => {
                Some(Key::RsaPrivate(RsaPrivate::new(rsa::KeyPair::from_pkcs8(bytes).ok()?)))
            }
            ("Ed25519", "pkcs8") => {
                Some(Key::EdPrivate(Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes).ok()?))
            }
            ("X25519", "pkcs8") => Key::x_private(bytes.strip_prefix(der::X25519_PKCS8)?),
            ("Ed25519", "spki") => Key::curve25519(kind, bytes.strip_prefix(der::ED25519_SPKI)?),
            ("X25519", "spki") => Key::curve25519(kind, bytes.strip_prefix(der::X25519_SPKI)?),
            ("Ed25519" | "X25519", "raw") => Key::curve25519(kind, bytes),
            (_, "pkcs8") => {
                let curve = Curve::of(kind)?;
                let pair = EcdsaKeyPair::from_pkcs8(curve.own_signing(), bytes).ok()?;
                Some(Key::EcPrivate(curve, pair))
            }
            (_, "spki") => {
                let curve = Curve::of(kind)?;
                Key::ec_public(curve, bytes.strip_prefix(curve.spki_prefix())?)
            }
            (_, "raw") => Key::ec_public(Curve::of(kind)?, bytes),
            _ => None,
        }
    }

    /// Reads a key from the parts of a JSON Web Key, as [`Key::parts`] gives them.
    pub fn from_parts(kind: &str, parts: &[&[u8]]) -> Option<Key> {
        match (kind, parts) {
            ("RSA", [n, e]) => {
                let public = PublicKeyComponents { n: trimmed(n), e: trimmed(e) };
                Key::rsa_public(public.as_der().ok()?.as_ref())
            }
            ("RSA", [n, e, d, p, q, dp, dq, qi]) => {
                let public_key = PublicKeyComponents { n: trimmed(n), e: trimmed(e) };
                let components =
                    KeyPairComponents { public_key, d, p, q, dP: dp, dQ: dq, qInv: qi };
                let pair = rsa::KeyPair::from_components(&components).ok()?;
                Some(Key::RsaPrivate(RsaPrivate::new(pair)))
            }
            ("Ed25519" | "X25519", [x]) => Key::curve25519(kind, x),
            // The public half follows from the private one.
            ("Ed25519", [_, d]) => {
                Some(Key::EdPrivate(Ed25519KeyPair::from_seed_unchecked(d).ok()?))
            }
            ("X25519", [_, d]) => Key::x_private(d),
            (_, [x, y]) => {
                let curve = Curve::of(kind)?;
                Key::ec_public(curve, &curve.point(x, y)?)
            }
            (_, [x, y, d]) => {
                let curve = Curve::of(kind)?;
                let (d, point) = (curve.padded(d)?, curve.point(x, y)?);
                let alg = curve.own_signing();
                let pair = EcdsaKeyPair::from_private_key_and_public_key(alg, &d, &point).ok()?;
                Some(Key::EcPrivate(curve, pair))
            }
            _ => None,
        }
    }

    fn rsa_public(bytes: &[u8]) -> Option<Key> {
        let key = rsa::PublicKey::from_der(bytes).ok()?;
        let spki = key.as_der().ok()?.as_ref().to_vec();
        Some(Key::RsaPublic(RsaPublic { pkcs1: key.as_ref().to_vec(), spki }))
    }

    fn ec_public(curve: Curve, point: &[u8]) -> Option<Key> {
        if point.len() != 1 + 2 * curve.field_bytes() {
            return None;
        }
        signature::ParsedPublicKey::new(curve.own_verification(), point).ok()?;
        Some(Key::EcPublic(curve, point.to_vec()))
    }

    fn curve25519(kind: &str, bytes: &[u8]) -> Option<Key> {
        match (bytes.len(), kind) {
            (32, "Ed25519") => Some(Key::EdPublic(bytes.to_vec())),
            (32, _) => Some(Key::XPublic(bytes.to_vec())),
            _ => None,
        }
    }

    fn x_private(seed: &[u8]) -> Option<Key> {
        Some(Key::XPrivate(agreement::PrivateKey::from_private_key(&X25519, seed).ok()?))
    }

    /// The public half of a private key.
    pub fn public(&self) -> Option<Key> {
        Some(match self {
            Key::RsaPrivate(key) => Key::rsa_public(key.pair.public_key().as_ref())?,
            Key::EcPrivate(curve, pair) => {
                Key::EcPublic(*curve, pair.public_key().as_ref().to_vec())
            }
            Key::EdPrivate(pair) => Key::EdPublic(pair.public_key().as_ref().to_vec()),
            Key::XPrivate(key) => Key::XPublic(key.compute_public_key().ok()?.as_ref().to_vec()),
            Key::Secret(_)
            | Key::RsaPublic(_)
            | Key::EcPublic(..)
            | Key::EdPublic(_)
            | Key::XPublic(_) => return None,
        })
    }

    /// The key in its binary format: `pkcs8` of private keys, `spki` of public ones, or `raw`.
    pub fn export(&self, is_raw: bool) -> Option<Vec<u8>> {
        let with = |prefix: &[u8], key: &[u8]| [prefix, key].concat();
        Some(match self {
            Key::Secret(bytes) => bytes.clone(),
            Key::RsaPublic(key) => key.spki.clone(),
            Key::RsaPrivate(key) => pkcs8(&key.pair)?.as_ref().to_vec(),
            Key::EcPrivate(_, pair) => pair.to_pkcs8v1().ok()?.as_ref().to_vec(),
            Key::EdPrivate(pair) => pair.to_pkcs8v1().ok()?.as_ref().to_vec(),
            Key::XPrivate(key) => with(der::X25519_PKCS8, x_seed(key)?.as_ref()),
            Key::EcPublic(_, key) | Key::EdPublic(key) | Key::XPublic(key) if is_raw => key.clone(),
            Key::EcPublic(curve, point) => with(curve.spki_prefix(), point),
            Key::EdPublic(key) => with(der::ED25519_SPKI, key),
            Key::XPublic(key) => with(der::X25519_SPKI, key),
        })
    }

    /// The parts of its JSON Web Key (RFC 7518 §6, RFC 8037): `n e [d p q dp dq qi]`, `x y [d]`
    /// or `x [d]`.
    pub fn parts(&self) -> Option<Vec<Vec<u8>>> {
        match self {
            Key::Secret(bytes) => Some(vec![bytes.clone()]),
            Key::RsaPublic(key) => der::integers(&key.pkcs1),
            Key::RsaPrivate(key) => der::rsa_private(pkcs8(&key.pair)?.as_ref()),
            Key::EcPublic(_, point) => {
                let (x, y) = point.get(1..)?.split_at_checked((point.len() - 1) / 2)?;
                Some(vec![x.to_vec(), y.to_vec()])
            }
            Key::EcPrivate(_, pair) => {
                let mut parts = self.public()?.parts()?;
                let scalar: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().ok()?;
                parts.push(scalar.as_ref().to_vec());
                Some(parts)
            }
            Key::EdPublic(key) | Key::XPublic(key) => Some(vec![key.clone()]),
            Key::EdPrivate(pair) => {
                let mut parts = self.public()?.parts()?;
                let seed: Curve25519SeedBin<'_> = pair.seed().ok()?.as_be_bytes().ok()?;
                parts.push(seed.as_ref().to_vec());
                Some(parts)
            }
            Key::XPrivate(key) => {
                let mut parts = self.public()?.parts()?;
                parts.push(x_seed(key)?.as_ref().to_vec());
                Some(parts)
            }
        }
    }
}

fn x_seed(key: &agreement::PrivateKey) -> Option<Curve25519SeedBin<'static>> {
    key.as_be_bytes().ok()
}

/// A big-endian number without leading zeros.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}
