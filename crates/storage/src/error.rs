//! What can go wrong with stored data, named by who must act.
//!
//! `App…` is the user's SQL, `Broken…` asks for a restart of the actor, `Config…` is for the
//! operator, `Bug` for us. Texts that JavaScript sees carry no path of the host.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The failure of a storage call. Cheap to clone: a broken database repeats one cause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The user's SQL was refused or failed; the database is as before the statement.
    #[error("{message}")]
    AppSql {
        /// The platform's wording (`spec/storage.md` 1.6).
        message: Arc<str>,
    },
    /// A value, statement or result passed a limit.
    #[error("{message}")]
    AppLimit {
        /// Which limit, in the platform's wording.
        message: Arc<str>,
    },
    /// A statement was stopped by the watchdog; the transaction is still open.
    #[error("{message}")]
    AppInterrupted {
        /// SQLite's text.
        message: Arc<str>,
    },
    /// What the cursor reads from is gone: the database was closed, or a newer list began.
    #[error("{message}")]
    AppCanceled {
        /// The platform's wording.
        message: Arc<str>,
    },
    /// The storage failed and the open transaction is lost. Every later call fails the same way.
    #[error("{message}")]
    BrokenStorage {
        /// What happened, without paths.
        message: Arc<str>,
    },
    /// The database or the disk is full, and the open transaction is lost with it (ST-35).
    #[error("{message}")]
    BrokenFull {
        /// SQLite's text.
        message: Arc<str>,
    },
    /// A file operation failed; the file's state on disk is unknown.
    #[error("{}: {problem}", path.display())]
    BrokenFile {
        /// The file.
        path: Arc<PathBuf>,
        /// What failed and how to mend it.
        problem: Arc<str>,
    },
    /// The data directory cannot be used.
    #[error("data directory {}: {problem}", path.display())]
    ConfigDataDir {
        /// The directory.
        path: Arc<PathBuf>,
        /// What is wrong and how to mend it.
        problem: Arc<str>,
    },
    /// A database file cannot be opened.
    #[error("database {}: {problem}", path.display())]
    ConfigDatabase {
        /// The file.
        path: Arc<PathBuf>,
        /// What is wrong and how to mend it.
        problem: Arc<str>,
    },
    /// The machine refused a thread.
    #[error("cannot start a sync thread: {problem}; raise the limit of threads per process")]
    ConfigThreads {
        /// The machine's answer.
        problem: Arc<str>,
    },
    /// A defect of ours; the text says where.
    #[error("internal error; reference = {place}")]
    Bug {
        /// What a maintainer searches for.
        place: &'static str,
    },
}

impl Error {
    /// The text JavaScript sees. Errors that name files of the host are replaced by one sentence.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Error::AppSql { .. }
            | Error::AppLimit { .. }
            | Error::AppInterrupted { .. }
            | Error::AppCanceled { .. }
            | Error::BrokenStorage { .. }
            | Error::BrokenFull { .. }
            | Error::Bug { .. } => self.to_string(),
            Error::BrokenFile { .. }
            | Error::ConfigDataDir { .. }
            | Error::ConfigDatabase { .. }
            | Error::ConfigThreads { .. } => NOT_ACCESSIBLE.into(),
        }
    }

    /// True when the actor must be restarted, or cannot start until an operator acts.
    #[must_use]
    pub fn breaks_actor(&self) -> bool {
        match self {
            Error::AppSql { .. }
            | Error::AppLimit { .. }
            | Error::AppInterrupted { .. }
            | Error::AppCanceled { .. } => false,
            Error::BrokenStorage { .. }
            | Error::BrokenFull { .. }
            | Error::BrokenFile { .. }
            | Error::ConfigDataDir { .. }
            | Error::ConfigDatabase { .. }
            | Error::ConfigThreads { .. }
            | Error::Bug { .. } => true,
        }
    }

    pub(crate) fn sql(message: impl Into<Arc<str>>) -> Error {
        Error::AppSql { message: message.into() }
    }

    pub(crate) fn limit(message: impl Into<Arc<str>>) -> Error {
        Error::AppLimit { message: message.into() }
    }

    pub(crate) fn canceled(message: impl Into<Arc<str>>) -> Error {
        Error::AppCanceled { message: message.into() }
    }

    pub(crate) fn broken(message: impl Into<Arc<str>>) -> Error {
        Error::BrokenStorage { message: message.into() }
    }

    pub(crate) fn full(message: impl Into<Arc<str>>) -> Error {
        Error::BrokenFull { message: message.into() }
    }

    pub(crate) fn database(path: &Path, problem: impl Into<Arc<str>>) -> Error {
        Error::ConfigDatabase { path: Arc::new(path.into()), problem: problem.into() }
    }

    pub(crate) fn data_dir(path: &Path, problem: impl Into<Arc<str>>) -> Error {
        Error::ConfigDataDir { path: Arc::new(path.into()), problem: problem.into() }
    }

    pub(crate) fn file(path: &Path, doing: &str, cause: &io::Error) -> Error {
        let problem = format!("cannot {doing}: {}", explain(cause)).into();
        Error::BrokenFile { path: Arc::new(path.into()), problem }
    }
}

/// The machine's error with what usually mends it.
pub(crate) fn explain(cause: &io::Error) -> String {
    let advice = match cause.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; let the server's user write there"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; free disk space",
        io::ErrorKind::NotADirectory => "; a part of the path is a file, choose another path",
        _ => "",
    };
    format!("{cause}{advice}")
}

/// What user code learns when the reason concerns the operator.
const NOT_ACCESSIBLE: &str = "Durable Object storage is no longer accessible.";
