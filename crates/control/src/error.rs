//! Why the app host could not start or keep its files; for the operator to mend.

use std::io;
use std::path::PathBuf;

/// A failure around the files of the app host.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error(
        "cannot {action} {}: {cause}; check the data directory's rights and space",
        path.display()
    )]
    ConfigFile {
        /// What was tried: `read`, `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// Other users of the machine could read the token.
    #[error(
        "the token file {} can be read by others (mode {mode:03o}); run chmod 600 on it, or \
         delete it to get a new token",
        path.display()
    )]
    ConfigTokenMode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The token file does not hold a token.
    #[error("the token file {} is damaged; delete it to get a new token", path.display())]
    ConfigTokenDamaged {
        /// The file.
        path: PathBuf,
    },
    /// The catalogue is no catalogue, or one of a later version.
    #[error("the catalogue {} is damaged: {cause}; restore it from a backup", path.display())]
    ConfigCatalogue {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    ConfigRandom(String),
}
