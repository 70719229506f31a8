//! When a commit counts as on disk, and who sees to it.
//!
//! A [`CommitLog`] is the thread-safe side of one open database: which commits were handed in,
//! which are durable, and the descriptor to sync. A [`DurabilitySink`] decides when
//! [`CommitLog::sync`] runs; replication can hang on the same trait. After a failed sync the kernel
//! may have dropped the pages, so a later success proves nothing: the log stays failed and its
//! database refuses all work.

use std::fs::{File, OpenOptions};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::database_file::{sync_folder, wal_of};
use crate::error::Error;

/// Takes commits and makes them durable, on threads of its own.
pub trait DurabilitySink: Send + Sync {
    /// Commit `number` of this database was handed in. Must not wait for the disk; it leads to a
    /// later [`CommitLog::sync`] or [`CommitLog::fail`]. Numbers of one log grow by one.
    fn commit(&self, log: &Arc<CommitLog>, number: u64);
}

/// What is called with the owner's token and the newest durable commit, on a thread of the sink.
/// It must not block.
pub type OnDurable = Arc<dyn Fn(u64, Result<u64, Error>) + Send + Sync>;

/// How the commits of a database become durable, and who learns of it.
#[derive(Clone)]
pub struct Durability {
    /// Who makes them durable.
    pub sink: Arc<dyn DurabilitySink>,
    /// Says to `on_durable` which opening of which database it is; means nothing here. Numbers
    /// begin anew with each opening, and the last report of one may come after it was closed:
    /// never use a token twice.
    pub token: u64,
    /// Called after each sync: all commits up to the number are durable. An error is final.
    pub on_durable: OnDurable,
}

/// The commits of one open database, as its sink sees them.
pub struct CommitLog {
    database: PathBuf,
    wal: PathBuf,
    token: u64,
    on_durable: OnDurable,
    // Opened before the first commit writes, so that no write error can go unseen.
    wal_file: OnceLock<File>,
    // What the first sync makes durable besides the WAL.
    unsynced: Mutex<Unsynced>,
    handed_in: AtomicU64,
    durable: AtomicU64,
    failure: OnceLock<Error>,
}

/// Files whose existence is not known to be durable.
struct Unsynced {
    // Held open rather than found by name: the database may be deleted before the sync.
    database: Option<File>,
    folders: Vec<PathBuf>,
}

impl CommitLog {
    pub(crate) fn new(
        database: &Path,
        folders: Vec<PathBuf>,
        durability: &Durability,
    ) -> CommitLog {
        CommitLog {
            database: database.into(),
            wal: wal_of(database),
            token: durability.token,
            on_durable: durability.on_durable.clone(),
            wal_file: OnceLock::new(),
            unsynced: Mutex::new(Unsynced { database: None, folders }),
            handed_in: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            failure: OnceLock::new(),
        }
    }

    /// The database's file.
    #[must_use]
    pub fn database(&self) -> &Path {
        &self.database
    }

    /// The file that holds its newest commits.
    #[must_use]
    pub fn wal(&self) -> &Path {
        &self.wal
    }

    /// The owner's token.
    #[must_use]
    pub fn token(&self) -> u64 {
        self.token
    }

    /// The newest commit that was handed in; 0 before the first.
    #[must_use]
    pub fn handed_in(&self) -> u64 {
        self.handed_in.load(Ordering::Acquire)
    }

    /// The newest commit that is on disk; 0 before the first.
    #[must_use]
    pub fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// Why the log failed, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<&Error> {
        self.failure.get()
    }

    /// Syncs the WAL, and with the first call also the files' names, then reports. All commits
    /// handed in before the call are durable after it. Blocks; at most one call per log at a time.
    pub fn sync(&self) {
        let newest = self.handed_in();
        match self.sync_files() {
            _ if self.failure().is_some() => self.report_failure(),
            Ok(()) => {
                self.durable.fetch_max(newest, Ordering::AcqRel);
                self.report(Ok(newest));
            }
            Err(error) => self.fail(error),
        }
    }

    /// Declares that commits may be lost: reports the error, and the database refuses all work.
    pub fn fail(&self, error: Error) {
        tracing::error!(database = %self.database.display(), %error, "commits are not durable");
        // The first failure is the one that counts.
        let _ = self.failure.set(error);
        self.report_failure();
    }

    /// Opens the descriptors that are synced. The files must exist.
    pub(crate) fn open_files(&self) -> Result<(), Error> {
        if self.wal_file.get().is_some() {
            return Ok(());
        }
        let open = |path: &Path| {
            let opened = OpenOptions::new().read(true).write(true).open(path);
            opened.map_err(|cause| Error::file(path, "open it", &cause))
        };
        self.lock_unsynced().database = Some(open(&self.database)?);
        // Only the owning thread sets it.
        let _ = self.wal_file.set(open(&self.wal)?);
        Ok(())
    }

    /// Takes the next commit, which the WAL already holds, and returns its number.
    pub(crate) fn hand_in(&self) -> u64 {
        self.handed_in.fetch_add(1, Ordering::AcqRel) + 1
    }

    fn sync_files(&self) -> Result<(), Error> {
        if let Some(wal) = self.wal_file.get() {
            wal.sync_data().map_err(|cause| Error::file(&self.wal, "make it durable", &cause))?;
        }
        let mut unsynced = self.lock_unsynced();
        // A database whose first page is lost would lose its WAL too: SQLite deletes a WAL that
        // belongs to an empty file.
        if let Some(database) = &unsynced.database {
            let synced = database.sync_all();
            synced.map_err(|cause| Error::file(&self.database, "make it durable", &cause))?;
        }
        // A folder that is gone took the database with it.
        let mut folders = unsynced.folders.iter().filter(|folder| folder.exists());
        folders.try_for_each(|folder| sync_folder(folder))?;
        *unsynced = Unsynced { database: None, folders: Vec::new() };
        Ok(())
    }

    fn lock_unsynced(&self) -> MutexGuard<'_, Unsynced> {
        self.unsynced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report_failure(&self) {
        if let Some(error) = self.failure.get() {
            self.report(Err(error.clone()));
        }
    }

    /// A panic of the callback must not end the sink's thread: other databases wait for it.
    fn report(&self, outcome: Result<u64, Error>) {
        if catch_unwind(AssertUnwindSafe(|| (self.on_durable)(self.token, outcome))).is_err() {
            tracing::error!(database = %self.database.display(), "on_durable panicked");
        }
    }
}
