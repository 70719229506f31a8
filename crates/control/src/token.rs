//! The bearer token of the admin listener, kept in a file that only its owner can read.
//!
//! The file holds the token as 64 hex digits and a newline. It is made once; whoever deletes it
//! gets a new token at the next start.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::Error;

/// A token. Only its digest is kept, so it cannot leak through a log or a core dump.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    digest: [u8; 32],
}

/// Where a token came from.
#[derive(Debug)]
pub enum Origin {
    /// It was made now; this is the only time its text is known, for showing it once.
    Created {
        /// The token as a client must send it.
        text: String,
        /// The file it can be read from later.
        path: PathBuf,
    },
    /// It was read from the file of an earlier start.
    Read,
}

impl Token {
    /// Opens `admin-token` in the data directory, or makes it at the first start.
    ///
    /// # Errors
    /// A `Config…` error: the file is readable by others, damaged, or cannot be made.
    pub fn open(data_dir: &Path) -> Result<(Token, Origin), Error> {
        let path = data_dir.join(FILE_NAME);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => create(file, path),
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {
                Ok((read(path)?, Origin::Read))
            }
            Err(cause) => Err(Error::ConfigFile { action: "write", path, cause }),
        }
    }

    /// The token with this text.
    #[must_use]
    pub fn new(text: &str) -> Token {
        Token { digest: Sha256::digest(text.as_bytes()).into() }
    }

    /// Whether a client sent this token. What the comparison's time tells is about digests,
    /// which a client cannot steer byte by byte.
    #[must_use]
    pub fn matches(&self, sent: &str) -> bool {
        let sent = Token::new(sent);
        let differing = self.digest.iter().zip(sent.digest).fold(0, |all, (a, b)| all | (a ^ b));
        std::hint::black_box(differing) == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

fn create(mut file: File, path: PathBuf) -> Result<(Token, Origin), Error> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|cause| Error::ConfigRandom(cause.to_string()))?;
    let text: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let written = writeln!(file, "{text}").and_then(|()| file.sync_all());
    if let Err(cause) = written {
        // Half a token would be reported as damage at every start.
        let _ = std::fs::remove_file(&path);
        return Err(Error::ConfigFile { action: "write", path, cause });
    }
    Ok((Token::new(&text), Origin::Created { text, path }))
}

fn read(path: PathBuf) -> Result<Token, Error> {
    let read = || {
        let file = File::open(&path)?;
        let mode = file.metadata()?.mode() & 0o777;
        let mut text = String::new();
        file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
        Ok((mode, text))
    };
    let (mode, text) = match read() {
        Ok(read) => read,
        Err(cause) => return Err(Error::ConfigFile { action: "read", path, cause }),
    };
    if mode & 0o077 != 0 {
        return Err(Error::ConfigTokenMode { path, mode });
    }
    let text = text.trim_end();
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Error::ConfigTokenDamaged { path });
    }
    Ok(Token::new(text))
}

/// The name of the token file in the data directory.
pub const FILE_NAME: &str = "admin-token";

/// A token, a newline, and room to notice that there is more.
const FILE_BYTES_MAX: u64 = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_token_is_made_once_and_read_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let (token, Origin::Created { text, path }) = Token::open(dir.path()).unwrap() else {
            panic!("the first start makes a token");
        };
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        let (again, Origin::Read) = Token::open(dir.path()).unwrap() else {
            panic!("the second start reads it");
        };
        assert!(token.matches(&text) && again.matches(&text));
        assert!(!again.matches(&text[1..]) && !again.matches(""));
    }

    #[test]
    fn a_token_that_others_can_read_or_that_is_damaged_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        Token::open(dir.path()).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let Err(Error::ConfigTokenMode { mode: 0o640, .. }) = Token::open(dir.path()) else {
            panic!("a group may not read it");
        };
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "").unwrap();
        assert!(matches!(Token::open(dir.path()), Err(Error::ConfigTokenDamaged { .. })));
    }
}
