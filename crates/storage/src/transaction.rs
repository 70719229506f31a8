//! The implicit transaction and its savepoints.
//!
//! Writes open it, [`Database::commit`] ends it without a sync and hands the commit to the sink.
//! Numbers count the commits of this opening from 1. Savepoints nest inside and need no names
//! (`spec/workers.md` ST-39).

use std::cell::{Cell, RefCell};

use rusqlite::ffi;

use crate::database::{Database, Open, WAL_FRAME_BYTES};
use crate::disk::step;
use crate::error::Error;
use crate::result_code::Failure;
use crate::statement::{Prepared, Statement};

/// The transaction state of an open database.
pub(crate) struct Transaction {
    is_open: Cell<bool>,
    depth: Cell<usize>,
    // Counts what wrote or began to.
    writes: Cell<u64>,
    // Pages in the WAL after the newest commit, and those of them that were copied since.
    wal_pages: Cell<u32>,
    copied_pages: Cell<u32>,
    wal_bytes_max: u64,
    // Commits since the WAL began, and how many there were when.
    in_wal: Cell<u64>,
    times: RefCell<Vec<(u64, u64)>>,
    // Changed pages stay in memory until the commit.
    pub(crate) keeps_pages: Cell<bool>,
    // The database became much smaller; only a copy of the WAL makes its file so.
    has_shrunk: Cell<bool>,
    begin: Prepared,
    commit: Prepared,
    roll_back: Prepared,
    savepoints: RefCell<Vec<Savepoint>>,
}

/// The statements of one nesting depth.
struct Savepoint {
    start: Statement,
    release: Statement,
    roll_back: Statement,
}

impl Database {
    /// True while the implicit transaction is open, which a write opened.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.open.transaction.is_open()
    }

    /// Counts uses that wrote or may have; to tell whether one did.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.open.transaction.writes.get()
    }

    /// Savepoints that are open.
    #[must_use]
    pub fn savepoints(&self) -> usize {
        self.open.transaction.depth.get()
    }

    /// The number of the newest commit; 0 before the first.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.open.log.handed_in()
    }

    /// The number of the newest commit that is on disk; 0 before the first.
    #[must_use]
    pub fn durable(&self) -> u64 {
        self.open.log.durable()
    }

    /// Ends the implicit transaction and hands it to the sink; does not wait for the disk.
    /// Returns its number, or `None` when nothing was written.
    ///
    /// Waits for the disk while a checkpoint settles; [`holds_commits`](Self::holds_commits) says
    /// so before.
    ///
    /// # Errors
    /// [`Error::BrokenStorage`] when it cannot be committed, also because constraints are violated
    /// (ST-34): it is rolled back and the database refuses all work. [`Error::Bug`] while a
    /// savepoint is open.
    pub fn commit(&self) -> Result<Option<u64>, Error> {
        let open = &self.open;
        let transaction = &open.transaction;
        open.check()?;
        if !transaction.is_open() {
            return Ok(None);
        }
        if transaction.depth.get() > 0 {
            return Err(Error::Bug { place: "storage: commit inside a savepoint" });
        }
        open.log.open_files().map_err(|error| {
            tracing::error!(%error, "cannot commit");
            open.break_with(Error::broken(error.message()))
        })?;
        open.finish_checkpoint()?;
        let hooks = open.connection.hooks();
        hooks.wal_pages.take();
        step("before a commit");
        if let Err(failure) = open.run_own(&transaction.commit) {
            return Err(open.lose_commit(&failure));
        }
        transaction.is_open.set(false);
        open.hand_in()
    }

    /// Gives up everything since the last commit, savepoints too. Does nothing without writes.
    pub fn roll_back_all(&self) {
        self.open.roll_back_all();
    }

    /// Opens a savepoint inside the implicit transaction, which it opens where needed.
    ///
    /// # Errors
    /// [`Error::AppLimit`] beyond [`SAVEPOINT_DEPTH_MAX`], else as [`Database::exec`].
    pub fn savepoint(&self) -> Result<(), Error> {
        let open = &self.open;
        open.check()?;
        let depth = open.transaction.depth.get();
        if depth == SAVEPOINT_DEPTH_MAX {
            return Err(Error::limit(TOO_DEEP));
        }
        open.begin()?;
        open.run_savepoint(depth, |savepoint| &savepoint.start)?;
        open.transaction.depth.set(depth + 1);
        Ok(())
    }

    /// Keeps what was done since the innermost savepoint, and forgets the savepoint.
    ///
    /// # Errors
    /// [`Error::Bug`] without a savepoint, else as [`Database::exec`].
    pub fn release(&self) -> Result<(), Error> {
        let open = &self.open;
        let depth = open.innermost()?;
        open.run_savepoint(depth, |savepoint| &savepoint.release)?;
        open.transaction.depth.set(depth);
        Ok(())
    }

    /// Gives up what was done since the innermost savepoint, and forgets the savepoint.
    ///
    /// # Errors
    /// As [`release`](Self::release).
    pub fn roll_back(&self) -> Result<(), Error> {
        let open = &self.open;
        let depth = open.innermost()?;
        open.forget_tables();
        open.run_savepoint(depth, |savepoint| &savepoint.roll_back)?;
        open.run_savepoint(depth, |savepoint| &savepoint.release)?;
        open.transaction.depth.set(depth);
        Ok(())
    }
}

impl Open {
    /// Hands a commit that just ended to the sink; `None` when it wrote nothing.
    pub(crate) fn hand_in(&self) -> Result<Option<u64>, Error> {
        let Some(pages) = self.connection.hooks().wal_pages.take() else { return Ok(None) };
        self.transaction.wal_grew_to(pages);
        if let Some(history) = self.log.history() {
            self.transaction.count_commits(1, (history.settings.now_ms)());
        }
        step("before a commit is handed in");
        let number = self.log.hand_in();
        self.sink.commit(&self.log, number);
        Ok(Some(number))
    }

    /// Opens the implicit transaction where it is not open.
    pub(crate) fn begin(&self) -> Result<(), Error> {
        let transaction = &self.transaction;
        transaction.writes.set(transaction.writes.get() + 1);
        if transaction.is_open.get() {
            return Ok(());
        }
        if transaction.uncopied_bytes() > transaction.wal_bytes_max {
            return Err(Error::limit(WAL_FULL));
        }
        self.run_own(&self.transaction.begin).map_err(|failure| self.fail(failure))?;
        self.transaction.is_open.set(true);
        Ok(())
    }

    fn roll_back_all(&self) {
        self.forget_tables();
        self.transaction.depth.set(0);
        if !self.transaction.is_open.replace(false) || self.connection.is_autocommit() {
            return;
        }
        if let Err(failure) = self.run_own(&self.transaction.roll_back) {
            // Without a way back the handle would show data that was given up.
            self.break_with(Error::broken(failure.text));
        }
    }

    /// A rollback may take away the tables of the runtime that were created in it.
    pub(crate) fn forget_tables(&self) {
        self.kv.forget_table();
        self.metadata.forget_table();
    }

    /// Rolls back a transaction that did not commit, and ends the database.
    fn lose_commit(&self, failure: &Failure) -> Error {
        self.roll_back_all();
        let violated = failure.primary() == ffi::SQLITE_CONSTRAINT;
        let reset = if violated { CONSTRAINTS_VIOLATED } else { "" };
        let database = self.log.database().display();
        tracing::warn!(%database, cause = failure.text, "no commit");
        self.break_with(Error::broken(format!("{reset}{}", failure.text)))
    }

    fn run_own(&self, prepared: &Prepared) -> Result<(), Failure> {
        self.connection.as_runtime(|| prepared.on(&self.connection)?.run())
    }

    /// The depth of the innermost savepoint, counted from 0.
    fn innermost(&self) -> Result<usize, Error> {
        self.check()?;
        let depth = self.transaction.depth.get().checked_sub(1);
        depth.ok_or(Error::Bug { place: "storage: no savepoint is open" })
    }

    fn run_savepoint(
        &self,
        depth: usize,
        choose: impl FnOnce(&Savepoint) -> &Statement,
    ) -> Result<(), Error> {
        let run = || {
            let mut savepoints = self.transaction.savepoints.borrow_mut();
            if savepoints.len() == depth {
                savepoints.push(self.prepare_savepoint(depth)?);
            }
            choose(&savepoints[depth]).run()
        };
        self.connection.as_runtime(run).map_err(|failure| self.fail(failure))
    }

    fn prepare_savepoint(&self, depth: usize) -> Result<Savepoint, Failure> {
        let prepare = |verb: &str| {
            let sql = format!("{verb} _cf_sync_savepoint_{depth}");
            let (statement, _) = Statement::compile(&self.connection, &sql)?;
            Ok(statement.expect("the text holds a statement"))
        };
        Ok(Savepoint {
            start: prepare("SAVEPOINT")?,
            release: prepare("RELEASE")?,
            roll_back: prepare("ROLLBACK TO")?,
        })
    }
}

impl Transaction {
    pub(crate) fn new(wal_bytes_max: u64) -> Transaction {
        Transaction {
            is_open: Cell::new(false),
            depth: Cell::new(0),
            writes: Cell::new(0),
            wal_pages: Cell::new(0),
            copied_pages: Cell::new(0),
            wal_bytes_max,
            in_wal: Cell::new(0),
            times: RefCell::default(),
            keeps_pages: Cell::new(false),
            has_shrunk: Cell::new(false),
            begin: Prepared::new("BEGIN"),
            commit: Prepared::new("COMMIT"),
            roll_back: Prepared::new("ROLLBACK"),
            savepoints: RefCell::default(),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.is_open.get()
    }

    /// Bytes in the WAL that a checkpoint would copy.
    pub(crate) fn uncopied_bytes(&self) -> u64 {
        u64::from(self.wal_pages.get() - self.copied_pages.get()) * WAL_FRAME_BYTES
    }

    /// The database was emptied.
    pub(crate) fn shrunk(&self) {
        self.has_shrunk.set(true);
    }

    /// True until the file is as small as the database.
    pub(crate) fn has_shrunk(&self) -> bool {
        self.has_shrunk.get()
    }

    /// A checkpoint copied all pages. Returns when the commits were made.
    pub(crate) fn copied(&self) -> Vec<(u64, u64)> {
        self.has_shrunk.set(false);
        self.copied_pages.set(self.wal_pages.get());
        self.in_wal.set(0);
        self.times.take()
    }

    /// Commits since the WAL began.
    pub(crate) fn in_wal(&self) -> u64 {
        self.in_wal.get()
    }

    /// Commits were added to the WAL; the times of those soon after each other become one.
    pub(crate) fn count_commits(&self, commits: u64, now_ms: u64) {
        let count = self.in_wal.get() + commits;
        self.in_wal.set(count);
        let mut times = self.times.borrow_mut();
        match &mut times[..] {
            [.., (_, before), last] if now_ms < *before + TIMES_APART_MS => *last = (count, now_ms),
            _ => times.push((count, now_ms)),
        }
    }

    /// When the commits of the WAL were made.
    pub(crate) fn times(&self) -> Vec<(u64, u64)> {
        self.times.borrow().clone()
    }

    /// What is known of the commits that an earlier handle made.
    pub(crate) fn adopt_times(&self, times: Vec<(u64, u64)>, commits: u64) {
        let known: Vec<_> = times.into_iter().take_while(|(count, _)| *count <= commits).collect();
        self.in_wal.set(known.last().map_or(0, |(count, _)| *count));
        self.times.replace(known);
    }

    /// The newest commit of the WAL at a time; `None` where it is older than the WAL.
    pub(crate) fn number_at(&self, time_ms: u64) -> Option<u64> {
        let times = self.times.borrow();
        let in_time = times.iter().take_while(|(_, ms)| *ms <= time_ms);
        in_time.last().map(|(count, _)| *count)
    }

    /// A commit wrote. Where that did not lengthen the WAL, it began anew, all being copied.
    pub(crate) fn wal_grew_to(&self, pages: u32) {
        if pages <= self.wal_pages.replace(pages) {
            self.copied_pages.set(0);
        }
    }
}

/// Commits of less time in between count as one moment.
const TIMES_APART_MS: u64 = 20;

/// Nested transactions: far beyond what code written by hand needs.
pub const SAVEPOINT_DEPTH_MAX: usize = 64;

const WAL_FULL: &str = "The database's log is full because a cursor keeps it from being copied; \
     read cursors to their end, or drop them, before writing more.";
const TOO_DEEP: &str = "Transactions are nested too deeply; the maximum depth is 64.";
const CONSTRAINTS_VIOLATED: &str = "Durable Object was reset and rolled back to its last known \
     good state because the application left the database in a state where constraints were \
     violated: ";
