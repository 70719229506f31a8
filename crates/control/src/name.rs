//! The name of an app: one DNS label, so that it works in host names, paths and file names.

use std::fmt;

/// A checked name: `^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AppName(String);

impl AppName {
    /// Checks a name; `None` where it breaks the rule.
    #[must_use]
    pub fn new(name: &str) -> Option<AppName> {
        let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
        let fits = (1..=LABEL_BYTES_MAX).contains(&name.len())
            && name.bytes().all(|byte| inner(&byte))
            && !name.starts_with('-')
            && !name.ends_with('-');
        fits.then(|| AppName(name.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The longest label of a DNS name (RFC 1035 §2.3.4).
const LABEL_BYTES_MAX: usize = 63;

#[cfg(test)]
mod tests {
    use super::AppName;

    #[test]
    fn a_name_is_one_lower_case_dns_label() {
        let long = "a".repeat(63);
        for name in ["a", "7", "a-b", "a--b", "0x", &long] {
            assert!(AppName::new(name).is_some(), "{name}");
        }
        let longer = "a".repeat(64);
        for name in ["", "-", "-a", "a-", "A", "a.b", "a_b", "..", "a/b", "a b", "é", &longer] {
            assert!(AppName::new(name).is_none(), "{name}");
        }
    }
}
