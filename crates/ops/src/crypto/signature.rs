//! Signatures: RSA, ECDSA, Ed25519 and HMAC.

use aws_lc_rs::encoding::{AsBigEndian, EcPrivateKeyBin};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ED25519, EcdsaKeyPair, KeyPair, RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaParameters, RsaPssSaltLength, UnparsedPublicKey,
    VerificationAlgorithm,
};

use super::Hash;
use super::key::Key;

/// How an RSA signature is padded (RFC 8017 §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// RSASSA-PKCS1-v1_5.
    Pkcs1,
    /// RSASSA-PSS with a salt of so many bytes.
    Pss(usize),
}

/// What signing came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Signed<T> {
    /// It worked.
    Done(T),
    /// The key and the algorithm are not for each other, or the library failed.
    Failed,
    /// The library does not have this pair of algorithm and hash.
    Missing,
}

/// One table of PSS parameters with other salts than the hash's length, which must be constants.
macro_rules! pss {
    ($hash:expr, $salt:expr, $dyn:ty, $sha256:expr, $sha384:expr, $sha512:expr) => {{
        macro_rules! of {
            ($base:expr) => {
                match $salt {
                    0 => Some(&const { $base.with_pss_salt_length(RsaPssSaltLength::Custom(0)) }),
                    20 => Some(&const { $base.with_pss_salt_length(RsaPssSaltLength::Custom(20)) }),
                    32 => Some(&const { $base.with_pss_salt_length(RsaPssSaltLength::Custom(32)) }),
                    48 => Some(&const { $base.with_pss_salt_length(RsaPssSaltLength::Custom(48)) }),
                    64 => Some(&const { $base.with_pss_salt_length(RsaPssSaltLength::Custom(64)) }),
                    _ => None,
                }
            };
        }
        let found: Option<&'static $dyn> = match $hash {
            Hash::Sha1 => None,
            Hash::Sha256 => of!($sha256),
            Hash::Sha384 => of!($sha384),
            Hash::Sha512 => of!($sha512),
        };
        found
    }};
}

fn encoding(padding: Padding, hash: Hash) -> Option<&'static dyn RsaEncoding> {
    match (padding, hash) {
        (Padding::Pkcs1, Hash::Sha1) => None,
        (Padding::Pkcs1, Hash::Sha256) => Some(&RSA_PKCS1_SHA256),
        (Padding::Pkcs1, Hash::Sha384) => Some(&RSA_PKCS1_SHA384),
        (Padding::Pkcs1, Hash::Sha512) => Some(&RSA_PKCS1_SHA512),
        (Padding::Pss(salt), _) => pss!(
            hash,
            salt,
            aws_lc_rs::signature::RsaSignatureEncoding,
            RSA_PSS_SHA256,
            RSA_PSS_SHA384,
            RSA_PSS_SHA512
        )
        .map(|found| found as &dyn RsaEncoding),
    }
}

fn parameters(padding: Padding, hash: Hash) -> Option<&'static RsaParameters> {
    match (padding, hash) {
        (Padding::Pkcs1, Hash::Sha1) => Some(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY),
        (Padding::Pkcs1, Hash::Sha256) => Some(&RSA_PKCS1_2048_8192_SHA256),
        (Padding::Pkcs1, Hash::Sha384) => Some(&RSA_PKCS1_2048_8192_SHA384),
        (Padding::Pkcs1, Hash::Sha512) => Some(&RSA_PKCS1_2048_8192_SHA512),
        (Padding::Pss(salt), _) => pss!(
            hash,
            salt,
            RsaParameters,
            RSA_PSS_2048_8192_SHA256,
            RSA_PSS_2048_8192_SHA384,
            RSA_PSS_2048_8192_SHA512
        ),
    }
}

/// Signs with a private key. `hash` and `padding` count where the kind of key has such a thing.
pub fn sign(key: &Key, padding: Padding, hash: Hash, data: &[u8]) -> Signed<Vec<u8>> {
    let rng = SystemRandom::new();
    let signature = match key {
        Key::Secret(secret) => {
            let key = hmac::Key::new(hmac_algorithm(hash), secret);
            Some(hmac::sign(&key, data).as_ref().to_vec())
        }
        Key::RsaPrivate(private) => {
            let Some(encoding) = encoding(padding, hash) else { return Signed::Missing };
            let mut signature = vec![0; private.pair.public_modulus_len()];
            let signed = private.pair.sign(encoding, &rng, data, &mut signature);
            signed.is_ok().then_some(signature)
        }
        Key::EcPrivate(curve, pair) => {
            let Some(algorithm) = curve.signing(hash) else { return Signed::Missing };
            if algorithm == pair.algorithm() {
                pair.sign(&rng, data).ok().map(|signature| signature.as_ref().to_vec())
            } else {
                let scalar: Result<EcPrivateKeyBin<'_>, _> = pair.private_key().as_be_bytes();
                let point = pair.public_key().as_ref();
                scalar.ok().and_then(|scalar| {
                    let scalar = scalar.as_ref();
                    EcdsaKeyPair::from_private_key_and_public_key(algorithm, scalar, point)
                        .ok()?
                        .sign(&rng, data)
                        .ok()
                        .map(|signature| signature.as_ref().to_vec())
                })
            }
        }
        Key::EdPrivate(pair) => pair.try_sign(data).ok().map(|found| found.as_ref().to_vec()),
        _ => None,
    };
    signature.map_or(Signed::Failed, Signed::Done)
}

/// Whether a signature is that of a public key's owner.
pub fn verify(
    key: &Key,
    (padding, hash): (Padding, Hash),
    signature: &[u8],
    data: &[u8],
) -> Signed<bool> {
    let holds = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8]| {
        UnparsedPublicKey::new(algorithm, key).verify(data, signature).is_ok()
    };
    Signed::Done(match key {
        Key::Secret(secret) => {
            let key = hmac::Key::new(hmac_algorithm(hash), secret);
            hmac::verify(&key, data, signature).is_ok()
        }
        Key::RsaPublic(public) => {
            let Some(parameters) = parameters(padding, hash) else { return Signed::Missing };
            holds(parameters, &public.pkcs1)
        }
        Key::EcPublic(curve, point) => {
            let Some(algorithm) = curve.verification(hash) else { return Signed::Missing };
            holds(algorithm, point)
        }
        Key::EdPublic(public) => holds(&ED25519, public),
        _ => return Signed::Failed,
    })
}

/// HMAC of each hash.
fn hmac_algorithm(hash: Hash) -> hmac::Algorithm {
    match hash {
        Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => hmac::HMAC_SHA256,
        Hash::Sha384 => hmac::HMAC_SHA384,
        Hash::Sha512 => hmac::HMAC_SHA512,
    }
}
