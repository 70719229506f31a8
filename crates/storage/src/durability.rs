//! When a commit counts as on disk, and who sees to it.
//!
//! A [`CommitLog`] is the thread-safe side of one open database: which commits were handed in,
//! which are durable, and the descriptor to sync. A [`DurabilitySink`] decides when
//! [`CommitLog::sync`] runs; replication can hang on the same trait. After a failed sync the kernel
//! may have dropped the pages, so a later success proves nothing: the log stays failed and its
//! database refuses all work. For the same reason a log that an earlier handle left is written once
//! more before its first sync.
//!
//! All syncs of a database are made here; SQLite makes none. A checkpoint has two halves: the
//! owning thread copies the WAL, which is durable by then, into the database's pages without
//! waiting; [`CommitLog::sync`] then makes those durable and empties the WAL by erasing its header.
//! Until it has, nothing may be written over the WAL: no commit is made meanwhile.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::database::WAL_FRAME_BYTES;
use crate::database_file::{PAGE_BYTES, has_nothing, wal_of};
use crate::disk::{DiskFile, Mode};
use crate::error::Error;
use crate::folder_sync::NewNames;
use crate::history::{FullLog, History};

/// Takes commits and makes them durable, on threads of its own.
pub trait DurabilitySink: Send + Sync {
    /// Commit `number` of this database was handed in, or there is other work for a sync. Must
    /// not wait for the disk; it leads to a later [`CommitLog::sync`] or [`CommitLog::fail`].
    /// Numbers of one log never go back.
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
    /// Says to `on_durable` which opening of which database it is; means nothing here. The last
    /// report of an opening may come after it was closed: never use a token twice.
    pub token: u64,
    /// Commits of earlier openings: numbers go on from there.
    pub counted: u64,
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
    files: OnceLock<Files>,
    // Bytes of the WAL that an earlier handle left, which may be nowhere but in memory.
    adopted: Mutex<u64>,
    // What the first sync makes durable besides the WAL.
    unsynced: Mutex<Unsynced>,
    handed_in: AtomicU64,
    durable: AtomicU64,
    // Held while pages are made durable: whoever needs them waits for it.
    settling: Mutex<()>,
    is_settling: AtomicBool,
    copied: Mutex<Option<Copied>>,
    history: Option<History>,
    // Guards the header of the WAL against a handle that is opened later.
    ended: Mutex<bool>,
    // The header was erased and the next commit must have written a new one.
    expects_header: AtomicBool,
    failure: OnceLock<Error>,
}

/// What the first half of a checkpoint leaves for the second.
pub(crate) struct Copied {
    /// Bytes of the WAL that count.
    pub(crate) bytes: u64,
    /// When its commits were made.
    pub(crate) times: Vec<(u64, u64)>,
    pub(crate) began_blank: bool,
}

/// What is not known to be on disk when a database is opened.
pub(crate) struct Unsynced {
    /// The folders that have new names: at least that of the WAL.
    pub(crate) folders: Vec<PathBuf>,
    /// The first page, which no checkpoint wrote so far.
    pub(crate) first_page: bool,
    /// The names, once they are all there.
    pub(crate) names: Vec<NewNames>,
}

/// Held open rather than found by name: the database may be deleted before its last sync.
struct Files {
    database: DiskFile,
    wal: DiskFile,
}

impl CommitLog {
    pub(crate) fn new(
        database: &Path,
        unsynced: Unsynced,
        durability: &Durability,
        history: Option<History>,
    ) -> CommitLog {
        CommitLog {
            database: database.into(),
            wal: wal_of(database),
            token: durability.token,
            on_durable: durability.on_durable.clone(),
            files: OnceLock::new(),
            adopted: Mutex::new(0),
            unsynced: Mutex::new(unsynced),
            handed_in: AtomicU64::new(durability.counted),
            durable: AtomicU64::new(durability.counted),
            settling: Mutex::new(()),
            is_settling: AtomicBool::new(false),
            copied: Mutex::new(None),
            history,
            ended: Mutex::new(false),
            expects_header: AtomicBool::new(false),
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

    /// Makes durable what was handed in before the call, then reports: commits, with the first call
    /// also the files' names, and pages that a checkpoint copied. Blocks; at most one call per log
    /// at a time.
    pub fn sync(&self) {
        if self.failure().is_some() {
            return self.report_failure();
        }
        let newest = self.handed_in();
        match self.sync_commits(newest).and_then(|()| self.settle()) {
            Ok(()) => self.report(Ok(newest)),
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
        if self.files.get().is_some() {
            return Ok(());
        }
        let open = |path: &Path| {
            let opened = DiskFile::open(path, Mode::ReadWrite);
            opened.map_err(|cause| Error::file(path, "open it", &cause))
        };
        let files = Files { database: open(&self.database)?, wal: open(&self.wal)? };
        self.lock_unsynced().note_names();
        // Only the owning thread sets it.
        let _ = self.files.set(files);
        Ok(())
    }

    /// Takes what an earlier handle left in the WAL, as one commit; it has so many frames.
    pub(crate) fn adopt(&self, frames: u64) -> u64 {
        let bytes = WAL_HEADER_BYTES as u64 + frames * WAL_FRAME_BYTES;
        *self.lock_adopted() = bytes;
        self.lock_unsynced().first_page = true;
        self.hand_in()
    }

    /// Later commits are written behind these bytes, and none is copied before they are durable.
    fn write_adopted_again(&self, files: &Files) -> Result<(), Error> {
        // Held until it is done: whoever else syncs must not be told before that it is durable.
        let mut adopted = self.lock_adopted();
        if *adopted == 0 {
            return Ok(());
        }
        let written = files.wal.write_again(std::mem::take(&mut *adopted));
        let written = written.and_then(|()| files.database.write_again(PAGE_BYTES as u64));
        written.map_err(|cause| Error::file(&self.wal, "write it once more", &cause))
    }

    /// Takes the next commit, which the WAL already holds, and returns its number.
    pub(crate) fn hand_in(&self) -> u64 {
        self.handed_in.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// True from the copy of a checkpoint until its pages are durable.
    pub(crate) fn is_settling(&self) -> bool {
        self.is_settling.load(Ordering::Acquire)
    }

    /// The WAL, durable as a whole, was copied; the pages are not durable yet.
    pub(crate) fn start_settling(&self, copied: Copied) {
        *self.copied.lock().unwrap_or_else(PoisonError::into_inner) = Some(copied);
        self.is_settling.store(true, Ordering::Release);
    }

    /// Makes copied pages durable and erases the header of the WAL. Waits for another thread that
    /// does so already.
    pub(crate) fn settle(&self) -> Result<(), Error> {
        let _turn = self.settling.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(files) = self.files.get().filter(|_| self.is_settling()) else { return Ok(()) };
        files.database.sync(SYNC_PAGES)?;
        let ended = self.lock_ended();
        if *ended {
            return Ok(());
        }
        self.keep_history(files)?;
        // Frames left behind it must never follow those of a later commit: without a header none
        // of them counts, and the next commit writes a header that only its own frames match.
        let erased = files.wal.write_at(&[0; WAL_HEADER_BYTES], 0);
        erased.map_err(|cause| Error::file(&self.wal, "erase its header", &cause))?;
        drop(ended);
        files.wal.sync(SYNC_ERASED)?;
        self.expects_header.store(true, Ordering::Release);
        self.is_settling.store(false, Ordering::Release);
        Ok(())
    }

    fn keep_history(&self, files: &Files) -> Result<(), Error> {
        let copied = self.copied.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(history), Some(copied)) = (&self.history, copied) {
            let Copied { bytes, times, began_blank } = copied;
            let (database, wal) = (&files.database, &files.wal);
            history.keep(&FullLog { database, wal, bytes, times, began_blank })?;
        }
        Ok(())
    }

    /// What is known of the database's past, where it is kept.
    pub(crate) fn history(&self) -> Option<&History> {
        self.history.as_ref()
    }

    /// True where history may begin with an empty database. Cheap for all that are not.
    pub(crate) fn database_has_nothing(&self) -> bool {
        let files = self.files.get().filter(|_| self.history.is_some());
        files.is_some_and(|files| has_nothing(&files.database).unwrap_or(false))
    }

    /// From here on the files may belong to another handle.
    pub(crate) fn end(&self) {
        *self.lock_ended() = true;
    }

    /// Makes the commits up to `newest` durable.
    pub(crate) fn sync_commits(&self, newest: u64) -> Result<(), Error> {
        let Some(files) = self.files.get().filter(|_| newest > self.durable()) else {
            return Ok(());
        };
        self.write_adopted_again(files)?;
        files.wal.sync(SYNC_COMMITS)?;
        self.check_header(&files.wal)?;
        self.lock_unsynced().make_durable(&files.database)?;
        self.durable.fetch_max(newest, Ordering::AcqRel);
        Ok(())
    }

    /// The first commit behind an erased header begins the WAL anew. If SQLite ever did otherwise,
    /// a crash would lose the commit: better refuse it.
    fn check_header(&self, wal: &DiskFile) -> Result<(), Error> {
        if !self.expects_header.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let mut header = [0; WAL_HEADER_BYTES];
        match wal.read_at(&mut header, 0) {
            Ok(_) if header == [0; WAL_HEADER_BYTES] => {
                Err(Error::Bug { place: "storage: a commit without a WAL header" })
            }
            Ok(_) => Ok(()),
            Err(cause) => Err(Error::file(&self.wal, "read its header", &cause)),
        }
    }

    fn lock_adopted(&self) -> MutexGuard<'_, u64> {
        self.adopted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_unsynced(&self) -> MutexGuard<'_, Unsynced> {
        self.unsynced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_ended(&self) -> MutexGuard<'_, bool> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
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

impl Unsynced {
    /// The files are there: whatever syncs a folder from now on makes their names durable.
    fn note_names(&mut self) {
        self.names = self.folders.drain(..).map(|folder| NewNames::of(&folder)).collect();
    }

    fn make_durable(&mut self, database: &DiskFile) -> Result<(), Error> {
        if self.first_page {
            // A database whose first page is lost would lose its WAL too: SQLite deletes a WAL that
            // belongs to an empty file.
            database.sync(SYNC_FIRST_PAGE)?;
            self.first_page = false;
        }
        self.names.iter().try_for_each(|names| names.make_durable(SYNC_NAMES))?;
        self.names.clear();
        Ok(())
    }
}

/// What the header of a WAL takes.
pub(crate) const WAL_HEADER_BYTES: usize = 32;

// The syncs by name, for error texts and for tests that leave one out.
pub(crate) const SYNC_COMMITS: &str = "make its commits durable";
pub(crate) const SYNC_FIRST_PAGE: &str = "make its first page durable";
pub(crate) const SYNC_NAMES: &str = "make the names of new files durable";
pub(crate) const SYNC_PAGES: &str = "make its copied pages durable";
pub(crate) const SYNC_ERASED: &str = "make its emptiness durable";
