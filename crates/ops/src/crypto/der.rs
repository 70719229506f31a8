//! The little of DER (ITU-T X.690) that keys need: fixed headers, and the numbers of an RSA key.
//!
//! Only what our cryptographic library wrote is read here; foreign DER goes to the library.

/// What stands before the 32 bytes of an Ed25519 key in its `SubjectPublicKeyInfo` (RFC 8410).
pub const ED25519_SPKI: &[u8] = &[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// What stands before the 32 bytes of an X25519 key in its `SubjectPublicKeyInfo`.
pub const X25519_SPKI: &[u8] = &[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 3, 0x21, 0];

/// What stands before the 32 bytes of an X25519 key in its PKCS #8.
pub const X25519_PKCS8: &[u8] =
    &[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 4, 0x22, 4, 0x20];

const INTEGER: u8 = 2;
const OCTETS: u8 = 4;
const SEQUENCE: u8 = 0x30;

/// The numbers of a sequence of numbers, big-endian and without leading zeros.
pub fn integers(der: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (tag, mut rest, _) = element(der)?;
    let mut numbers = Vec::new();
    while tag == SEQUENCE && !rest.is_empty() {
        let (tag, content, after) = element(rest)?;
        if tag != INTEGER {
            return None;
        }
        numbers.push(content.strip_prefix(&[0]).unwrap_or(content).to_vec());
        rest = after;
    }
    Some(numbers)
}

/// The numbers `n e d p q dp dq qi` of an RSA key in PKCS #8.
pub fn rsa_private(pkcs8: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (_, content, _) = element(pkcs8)?;
    let (_, _version, rest) = element(content)?;
    let (_, _algorithm, rest) = element(rest)?;
    let (tag, key, _) = element(rest)?;
    let mut numbers = integers(key).filter(|_| tag == OCTETS)?;
    // Its first number is a version.
    if numbers.len() != 9 {
        return None;
    }
    numbers.remove(0);
    Some(numbers)
}

/// Tag and content of the first element, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        let add = |sum: usize, digit: &u8| sum.checked_mul(256)?.checked_add(usize::from(*digit));
        (digits.iter().try_fold(0, add)?, rest)
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{element, integers, rsa_private};

    #[test]
    fn numbers_come_without_their_sign_byte() {
        let der = [0x30, 7, 2, 2, 0, 0x80, 2, 1, 3];
        assert_eq!(integers(&der), Some(vec![vec![0x80], vec![3]]));
    }

    #[test]
    fn long_lengths_are_read() {
        let mut der = vec![4, 0x82, 1, 0];
        der.extend([7; 257]);
        let (tag, content, after) = element(&der).unwrap();
        assert_eq!((tag, content.len(), after), (4, 256, &[7][..]));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let _ = (integers(&bytes), rsa_private(&bytes));
        }
    }
}
