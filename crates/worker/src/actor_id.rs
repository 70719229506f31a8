//! Ids of actors: 32 bytes of which the second half proves the namespace of the first
//! (`spec/workers.md` DO-28), so that ids made by workerd and by Beryl are the same.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::error::Error;

/// An actor's id, with its name where it was made from one.
#[derive(Debug, Clone)]
pub struct ActorId {
    bytes: [u8; 32],
    name: Option<String>,
}

impl ActorId {
    /// The id that always belongs to this name in this namespace.
    #[must_use]
    pub fn from_name(unique_key: &str, name: &str) -> ActorId {
        let base = mac(&key_of(unique_key), name.as_bytes());
        let bytes = signed(unique_key, base[..16].try_into().unwrap_or_default());
        ActorId { bytes, name: Some(name.into()) }
    }

    /// A new id that nobody else has.
    ///
    /// # Errors
    /// [`Error::Bug`] when the system gives no randomness.
    pub fn unique(unique_key: &str) -> Result<ActorId, Error> {
        let mut base = [0; 16];
        getrandom::fill(&mut base).map_err(|error| Error::bug(format!("getrandom: {error}")))?;
        Ok(ActorId { bytes: signed(unique_key, base), name: None })
    }

    /// Parses 64 hex digits and checks that they belong to this namespace.
    ///
    /// # Errors
    /// [`Error::AppCode`] with the platform's `TypeError`.
    pub fn parse(unique_key: &str, hex: &str) -> Result<ActorId, Error> {
        let bytes = parse_hex(hex).ok_or_else(|| {
            Error::app_code("TypeError", "Invalid Durable Object ID: must be 64 hex digits")
        })?;
        let base: [u8; 16] = bytes[..16].try_into().unwrap_or_default();
        if signed(unique_key, base) != bytes {
            let message = "Durable Object ID is not valid for this namespace.";
            return Err(Error::app_code("TypeError", message));
        }
        Ok(ActorId { bytes, name: None })
    }

    /// The id of these bytes, which came from an id of the namespace.
    #[must_use]
    pub fn of_bytes(bytes: [u8; 32]) -> ActorId {
        ActorId { bytes, name: None }
    }

    /// The same id, known by a name as well.
    #[must_use]
    pub fn named(self, name: Option<String>) -> ActorId {
        ActorId { name, ..self }
    }

    /// The bytes; equal bytes mean the same actor.
    #[must_use]
    pub fn bytes(&self) -> [u8; 32] {
        self.bytes
    }

    /// The name it was made from.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// 64 lower-case hex digits.
    #[must_use]
    pub fn hex(&self) -> String {
        self.bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn key_of(unique_key: &str) -> [u8; 32] {
    Sha256::digest(unique_key.as_bytes()).into()
}

fn mac(key: &[u8; 32], data: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(data);
    mac.finalize().into_bytes().into()
}

fn signed(unique_key: &str, base: [u8; 16]) -> [u8; 32] {
    let proof = mac(&key_of(unique_key), &base);
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&base);
    bytes[16..].copy_from_slice(&proof[..16]);
    bytes
}

fn parse_hex(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let digit = |d: u8| char::from(d).to_digit(16);
        *byte = u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_always_gives_the_same_id() {
        let id = ActorId::from_name("AppRunner", "my-app");
        assert_eq!(id.bytes(), ActorId::from_name("AppRunner", "my-app").bytes());
        assert_ne!(id.bytes(), ActorId::from_name("Other", "my-app").bytes());
        assert_eq!(id.name(), Some("my-app"));
    }

    #[test]
    fn an_id_round_trips_through_hex_in_its_own_namespace_only() {
        let id = ActorId::unique("A").unwrap();
        assert_eq!(ActorId::parse("A", &id.hex()).unwrap().bytes(), id.bytes());
        assert!(ActorId::parse("B", &id.hex()).is_err());
    }

    #[test]
    fn anything_but_64_hex_digits_is_refused() {
        let long = "a".repeat(65);
        let umlaut = "ä".repeat(32);
        for hex in ["", "zz", "0", &long, &umlaut] {
            let error = ActorId::parse("A", hex).unwrap_err();
            assert!(error.to_string().contains("must be 64 hex digits"), "{hex}: {error}");
        }
    }
}
