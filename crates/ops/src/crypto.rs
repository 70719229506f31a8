//! Random values for `crypto`, from the operating system.

use deno_core::op2;

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
