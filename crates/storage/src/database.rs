//! One open database: SQL of users, sizes, memory and the end.
//!
//! The first statement that may write opens the implicit transaction (`spec/workers.md` ST-32);
//! [`crate::transaction`] ends it. All handles of a database are clones of one and live on one
//! thread. A cursor keeps the SQLite handle open, also after [`Database::close`], but then only
//! answers that it was canceled.

use std::cell::{Cell, OnceCell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rusqlite::ffi;

use crate::connection::Connection;
use crate::cursor::Cursor;
use crate::database_file::{PAGE_BYTES, create_where_missing, holds_commits};
use crate::disk;
use crate::durability::{CommitLog, Durability, DurabilitySink};
use crate::error::Error;
use crate::history::{History, HistorySettings, give_up as give_up_history};
use crate::kv;
use crate::metadata;
use crate::restore::{self, commits_of, header_of, restore_before_open};
use crate::result_code::Failure;
use crate::statement::{Prepared, Statement, Step};
use crate::statement_cache::StatementCache;
use crate::transaction::Transaction;
use crate::value::ValueRef;

/// A handle to an open database; clones are the same database.
#[derive(Clone)]
pub struct Database {
    pub(crate) open: Rc<Open>,
}

/// What the handles and cursors of a database share.
pub(crate) struct Open {
    pub(crate) connection: Rc<Connection>,
    pub(crate) log: Arc<CommitLog>,
    pub(crate) sink: Arc<dyn DurabilitySink>,
    pub(crate) transaction: Transaction,
    pub(crate) kv: kv::Statements,
    pub(crate) metadata: metadata::Statements,
    pub(crate) texts: RefCell<StatementCache>,
    // Counts how often the database was emptied, which cancels cursors.
    resets: Cell<u64>,
    // Why nothing works any more; set once.
    end: OnceCell<Error>,
    size: Prepared,
    // Somebody asked how many rows a statement read or wrote.
    pub(crate) counts_rows: Cell<bool>,
    // The next opening begins elsewhere, so this one must last as long as its owner.
    pub(crate) awaits_restore: Cell<bool>,
}

impl Database {
    /// Opens the file, or creates it with its folders. Nothing else may have it open.
    ///
    /// Commits that an earlier process left in the WAL may not be durable: they count as commit 1,
    /// handed in already.
    ///
    /// # Errors
    /// [`Error::ConfigDatabase`] when the file or folder cannot be read and written, is no
    /// database, or is damaged.
    pub fn open(path: &Path, durability: &Durability) -> Result<Database, Error> {
        Database::open_with(path, durability, &Settings::default())
    }

    /// [`open`](Self::open) with other limits than the platform's.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(
        path: &Path,
        durability: &Durability,
        settings: &Settings,
    ) -> Result<Database, Error> {
        let history = settings.history.as_ref().map(|history| History::new(path, history));
        if let Some(history) = &history
            && let Some(wish) = restore::wish(history)?
        {
            restore_before_open(path, settings, history, wish)?;
        }
        Database::open_file(path, durability, settings, history)
    }

    pub(crate) fn open_file(
        path: &Path,
        durability: &Durability,
        settings: &Settings,
        history: Option<History>,
    ) -> Result<Database, Error> {
        let unsynced = create_where_missing(path)?;
        if history.is_none() {
            give_up_history(path)?;
        }
        let connection = Connection::open(path, settings.database_bytes_max)?;
        let open = Open {
            connection,
            log: Arc::new(CommitLog::new(path, unsynced, durability, history)),
            sink: durability.sink.clone(),
            transaction: Transaction::new(settings.wal_bytes_max),
            kv: kv::Statements::new(),
            metadata: metadata::Statements::new(),
            texts: RefCell::new(StatementCache::new()),
            resets: Cell::new(0),
            end: OnceCell::new(),
            size: Prepared::new(SIZE),
            counts_rows: Cell::new(false),
            awaits_restore: Cell::new(false),
        };
        open.adopt_wal()?;
        Ok(Database { open: Rc::new(open) })
    }

    /// Runs a user's SQL: the last statement to its first row, the others for their effect (ST-14).
    ///
    /// A last statement that writes runs to its end too; its rows wait in memory. The first writing
    /// statement opens the implicit transaction.
    ///
    /// # Errors
    /// `App…` with the platform's text when the SQL is refused or fails; what earlier statements
    /// of the call did stays in the transaction. [`Error::BrokenStorage`] when SQLite had to give
    /// up the transaction (ST-35).
    pub fn exec(&self, sql: &str, bindings: &[ValueRef<'_>]) -> Result<Cursor, Error> {
        let open = &self.open;
        open.check()?;
        let known = open.texts.borrow_mut().find(sql);
        let compiled = match known {
            Some(compiled) => {
                compiled.prelude.iter().try_for_each(|statement| open.run(statement))?;
                compiled
            }
            None => open.compile(sql)?,
        };
        if compiled.last.parameters() != bindings.len() {
            return Err(Error::sql(WRONG_BINDINGS));
        }
        Cursor::start(open, compiled, bindings)
    }

    /// Bytes in use: pages that are not free (`databaseSize`).
    ///
    /// # Errors
    /// As [`exec`](Self::exec).
    pub fn database_size(&self) -> Result<u64, Error> {
        let open = &self.open;
        open.check()?;
        let size = open.connection.as_runtime(|| {
            let statement = open.size.on(&open.connection)?;
            statement.step()?;
            // SAFETY: the value is a number, copied before the reset.
            let size = unsafe { statement.value(0) }.ok();
            let size = if let Some(ValueRef::Integer(bytes)) = size { bytes } else { 0 };
            statement.reset();
            Ok(u64::try_from(size).unwrap_or(0))
        });
        size.map_err(|failure| open.fail(failure))
    }

    /// Gives memory back that only caches use; for databases that are idle.
    pub fn release_memory(&self) {
        self.open.texts.borrow_mut().clear();
        self.open.connection.release_memory();
    }

    /// Stops long SQL: a few thousand steps after `flag` turns true the running statement fails
    /// with [`Error::AppInterrupted`], or [`Error::BrokenStorage`] where that rolled the
    /// transaction back. `None` lets SQL run.
    pub fn set_interrupt(&self, flag: Option<Arc<AtomicBool>>) {
        self.open.connection.set_interrupt(flag);
    }

    /// The thread-safe side of this database.
    #[must_use]
    pub fn log(&self) -> &Arc<CommitLog> {
        &self.open.log
    }

    /// Rolls back what is not committed, copies the WAL into the database and ends all handles:
    /// every later call on them and on cursors fails with [`Error::AppCanceled`]. Waits for the
    /// disk unless everything [is copied](Self::is_copied).
    ///
    /// With an open cursor the WAL stays, holding what it held; it is replayed at the next open.
    ///
    /// # Errors
    /// [`Error::BrokenStorage`] when the disk failed; commits that were durable still are.
    pub fn close(self) -> Result<(), Error> {
        let log = self.open.log.clone();
        self.open.check()?;
        self.roll_back_all();
        let copied = self.open.copy_wal_and_wait();
        self.abandon();
        if copied? {
            // What it holds is in the database, and SQLite never writes through this handle again.
            if let Err(error) = disk::remove(log.wal()) {
                tracing::debug!(%error, "left an empty WAL");
            }
        }
        Ok(())
    }

    /// Ends the use of this handle at once: what is not committed is rolled back, cursors fail
    /// from now on, the file stays as it is. For an actor that broke: another handle may be opened
    /// on the file right away.
    pub fn abandon(self) {
        self.roll_back_all();
        self.open.texts.borrow_mut().clear();
        self.open.leave_times();
        self.open.log.end();
        // A database that failed before keeps its first error.
        let _ = self.open.end.set(Error::canceled(CLOSED));
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.log.end();
    }
}

impl Open {
    /// Fails when the database is closed, broken, or its commits are not durable.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if let Some(error) = self.end.get() {
            return Err(error.clone());
        }
        match self.log.failure() {
            None => Ok(()),
            Some(cause) => {
                tracing::debug!(%cause, "refused work after a failed sync");
                Err(self.break_with(Error::broken(NOT_DURABLE)))
            }
        }
    }

    /// Ends all cursors; their statements may be used anew.
    pub(crate) fn cancel_cursors(&self) {
        self.resets.set(self.resets.get() + 1);
        self.kv.stop_lists();
        self.texts.borrow_mut().clear();
    }

    /// How often the database was emptied; a cursor of an earlier time is canceled.
    pub(crate) fn resets(&self) -> u64 {
        self.resets.get()
    }

    /// Fails for a cursor that began when the database had been emptied `resets` times.
    pub(crate) fn check_cursor(&self, resets: u64) -> Result<(), Error> {
        self.check()?;
        if resets == self.resets() { Ok(()) } else { Err(Error::canceled(CLOSED)) }
    }

    /// Ends the database for good; the first reason is the one that is reported.
    pub(crate) fn break_with(&self, error: Error) -> Error {
        self.end.get_or_init(|| error).clone()
    }

    /// The error of a failed statement. Breaks the database where the transaction is lost.
    pub(crate) fn fail(&self, failure: Failure) -> Error {
        let lost = self.transaction.is_open() && self.connection.is_autocommit();
        let text = failure.text.as_str();
        if matches!(
            failure.code,
            ffi::SQLITE_CORRUPT | ffi::SQLITE_CORRUPT_INDEX | ffi::SQLITE_NOTADB
        ) {
            tracing::error!(database = %self.log.database().display(), %text, "damaged file");
        }
        match failure.primary() {
            ffi::SQLITE_IOERR | ffi::SQLITE_CANTOPEN => {
                tracing::error!(database = %self.log.database().display(), %text, "disk error");
                self.break_with(Error::broken(text))
            }
            ffi::SQLITE_FULL if lost => self.break_with(Error::full(text)),
            _ if lost => self.break_with(Error::broken(text)),
            ffi::SQLITE_INTERRUPT => Error::AppInterrupted { message: text.into() },
            ffi::SQLITE_TOOBIG | ffi::SQLITE_NOMEM | ffi::SQLITE_FULL => Error::limit(text),
            _ => Error::sql(text),
        }
    }

    /// Hands in what an earlier handle left in the WAL.
    fn adopt_wal(&self) -> Result<(), Error> {
        let wal = self.log.wal();
        let refuse = |cause| Error::file(wal, "read it", &cause);
        if !holds_commits(wal).map_err(refuse)? {
            return Ok(());
        }
        let frames = self.connection.wal_frames().map_err(|failure| self.fail(failure))?;
        if frames > 0 {
            self.transaction.wal_grew_to(u32::try_from(frames).unwrap_or(u32::MAX));
            if let Some(history) = self.log.history() {
                let commits = commits_of(wal, frames).map_err(refuse)?;
                let transaction = &self.transaction;
                let times = history.noted_times(&header_of(wal).map_err(refuse)?);
                transaction.adopt_times(times, commits);
                if transaction.in_wal() < commits {
                    let now = (history.settings.now_ms)();
                    transaction.count_commits(commits - transaction.in_wal(), now);
                }
            }
            self.log.open_files()?;
            let number = self.log.adopt(frames);
            self.sink.commit(&self.log, number);
        }
        Ok(())
    }

    /// Runs a user's statement for its effect and drops its rows.
    pub(crate) fn run(&self, statement: &Statement) -> Result<(), Error> {
        if statement.writes() {
            self.begin()?;
        }
        // All of a reading statement that anybody could notice is its first step.
        while self.step(statement)? == Step::Row && statement.writes() {}
        statement.reset();
        Ok(())
    }

    /// Runs one of the runtime's statements for its effect; `read` sees its first step.
    pub(crate) fn run_runtime<T>(
        &self,
        prepared: &Prepared,
        bindings: &[ValueRef<'_>],
        read: impl FnOnce(&Statement, Step) -> T,
    ) -> Result<T, Error> {
        let run = || {
            let statement = prepared.on(&self.connection)?;
            let outcome = step_bound(statement, bindings).map(|step| read(statement, step));
            // Also on failure: the bindings are borrowed.
            statement.clear();
            outcome
        };
        self.connection.as_runtime(run).map_err(|failure| self.fail(failure))
    }

    /// Rows of the table that the tree at this root page belongs to; `None` where there is none.
    pub(crate) fn rows_of(&self, root: i64) -> Option<u64> {
        let table = Prepared::new("SELECT tbl_name FROM sqlite_schema WHERE rootpage = ?");
        let table = self.run_runtime(&table, &[ValueRef::Integer(root)], |statement, _| {
            // SAFETY: the value is copied before the statement is reset.
            let name = unsafe { statement.value(0) }.ok();
            name.and_then(|name| {
                if let ValueRef::Text(name) = name { Some(name.to_owned()) } else { None }
            })
        });
        let table = table.ok()??;
        let sql = format!("SELECT count(*) FROM main.\"{}\"", table.replace('"', "\"\""));
        self.connection.as_runtime(|| {
            let (statement, _) = Statement::compile(&self.connection, &sql).ok()?;
            let statement = statement?;
            statement.step().ok()?;
            // SAFETY: the value is a number, copied before the statement goes away.
            let count = unsafe { statement.value(0) }.ok();
            if let Some(ValueRef::Integer(rows)) = count { u64::try_from(rows).ok() } else { None }
        })
    }

    /// One step of a user's statement.
    pub(crate) fn step(&self, statement: &Statement) -> Result<Step, Error> {
        statement.step().map_err(|failure| self.fail(failure))
    }
}

fn step_bound(statement: &Statement, bindings: &[ValueRef<'_>]) -> Result<Step, Failure> {
    for (index, value) in bindings.iter().enumerate() {
        // SAFETY: `run_runtime` clears the bindings before it returns, and they outlive it.
        unsafe { statement.bind_borrowed(index + 1, *value)? };
    }
    statement.step()
}

/// Caps the memory of all databases of the process together; 0 lifts the cap. A statement that
/// passes it fails, and its transaction with it (ST-35).
pub fn set_heap_limit(bytes: u64) {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    // SAFETY: the call is thread-safe and has no pointers.
    unsafe { ffi::sqlite3_hard_heap_limit64(bytes) };
}

/// Bytes that all databases of the process have in memory.
#[must_use]
pub fn heap_used() -> u64 {
    // SAFETY: the call is thread-safe and has no pointers.
    u64::try_from(unsafe { ffi::sqlite3_memory_used() }).unwrap_or(0)
}

/// What an operator may set for a database.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Bytes of the database, free pages included. A write beyond fails with SQLite's "full".
    pub database_bytes_max: u64,
    /// Bytes of the WAL, which grows while cursors keep it from being copied. Behind it no
    /// transaction begins.
    pub wal_bytes_max: u64,
    /// How much of the past is kept for point-in-time recovery; `None` keeps nothing.
    pub history: Option<HistorySettings>,
}

impl Default for Settings {
    fn default() -> Settings {
        // The platform's 10 GB; a log that large only comes from cursors that were forgotten.
        Settings { database_bytes_max: 10_000_000_000, wal_bytes_max: 1 << 30, history: None }
    }
}

/// A page of the WAL with its header.
pub(crate) const WAL_FRAME_BYTES: u64 = PAGE_BYTES as u64 + 24;

const SIZE: &str = "SELECT ((SELECT page_count FROM pragma_page_count) \
     - (SELECT freelist_count FROM pragma_freelist_count)) \
     * (SELECT page_size FROM pragma_page_size)";

const WRONG_BINDINGS: &str = "Wrong number of parameter bindings for SQL query.";
const CLOSED: &str = "SQLite query was canceled because the database was deleted.";
/// The host's reason is in the log; user code cannot act on it.
const NOT_DURABLE: &str = "Durable Object storage is no longer accessible: the disk failed.";
