//! One open SQLite handle: how it is opened, what it is allowed, and what it calls back.
//!
//! The journal is a WAL without a `-shm` file, in exclusive mode and without file locks
//! (`unix-none`): one handle per file is the callers' rule, guarded by [`crate::DataDir`]. SQLite
//! makes no syncs (`synchronous=OFF`); [`crate::durability`] makes all of them.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{OpenFlags, ffi};

use crate::authorizer::{Decision, Request, decide};
use crate::database_file::{APPLICATION_ID, PAGE_BYTES, wal_of};
use crate::disk;
use crate::error::Error;
use crate::result_code::Failure;

/// An open handle. Statements keep it alive through an `Rc`, so it closes after all of them.
pub(crate) struct Connection {
    // Declared first: the handle closes before what its callbacks point to goes away.
    raw: rusqlite::Connection,
    hooks: Rc<Hooks>,
}

/// What SQLite's callbacks read and write. They run inside calls made on the owning thread.
pub(crate) struct Hooks {
    /// Whose SQL is being compiled or run.
    pub(crate) author: Cell<Author>,
    /// What the statements compiled since the last [`Hooks::forget`] asked for.
    pub(crate) seen: Cell<Seen>,
    /// Pages in the WAL after the newest commit that wrote; `None` when taken.
    pub(crate) wal_pages: Cell<Option<u32>>,
    interrupt: RefCell<Option<Arc<AtomicBool>>>,
}

/// Whose SQL is being compiled or run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Author {
    User,
    Runtime,
}

/// Requests that need more than a yes or no.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    /// `BEGIN`, `COMMIT`, `SAVEPOINT` …: refused with a text of its own.
    pub(crate) transaction: bool,
    /// `ALTER TABLE`: its target is checked in the text.
    pub(crate) alter: bool,
    /// `PRAGMA optimize` writes, but SQLite calls it read-only.
    pub(crate) optimize: bool,
}

impl Connection {
    /// Opens an existing database file.
    pub(crate) fn open(path: &Path, bytes_max: u64) -> Result<Rc<Connection>, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let raw = rusqlite::Connection::open_with_flags_and_vfs(path, flags, disk::vfs_of(path))
            .and_then(|raw| configure(&raw, bytes_max).map(|()| raw))
            .map_err(|cause| Error::database(path, explain(&cause)))?;
        let hooks = Rc::new(Hooks {
            author: Cell::new(Author::User),
            seen: Cell::default(),
            wal_pages: Cell::default(),
            interrupt: RefCell::default(),
        });
        let connection = Rc::new(Connection { raw, hooks });
        connection.install_hooks();
        connection.remove_tables_about_statements();
        connection.check_if_foreign().map_err(|problem| Error::database(path, problem))?;
        Ok(connection)
    }

    /// The raw handle, valid as long as `self`.
    pub(crate) fn raw(&self) -> *mut ffi::sqlite3 {
        // SAFETY: the handle is neither closed through the pointer nor used after `self`: only
        // this crate's private types get it, and they hold the `Rc`.
        unsafe { self.raw.handle() }
    }

    pub(crate) fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// Runs `work` as the runtime's own SQL, out of the authorizer's reach.
    pub(crate) fn as_runtime<T>(&self, work: impl FnOnce() -> T) -> T {
        self.hooks.author.set(Author::Runtime);
        let outcome = work();
        self.hooks.author.set(Author::User);
        outcome
    }

    /// The failure of the call that just returned `code`.
    pub(crate) fn failure(&self, code: c_int) -> Failure {
        let db = self.raw();
        // SAFETY: the handle is open; the text is copied before another call can free it.
        let message = unsafe { CStr::from_ptr(ffi::sqlite3_errmsg(db)) }.to_string_lossy();
        // SAFETY: the handle is open.
        let offset = unsafe { ffi::sqlite3_error_offset(db) };
        Failure::new(code, &message, usize::try_from(offset).ok())
    }

    /// True while no transaction is open, also after SQLite rolled one back by itself.
    pub(crate) fn is_autocommit(&self) -> bool {
        self.raw.is_autocommit()
    }

    /// Rows inserted, updated and deleted since the handle was opened, by triggers too.
    pub(crate) fn total_changes(&self) -> u64 {
        self.raw.total_changes()
    }

    /// Copies the WAL into the pages of the database file, syncing nothing, and returns how many
    /// frames it has; `None` where a statement that is under way keeps some from being copied.
    pub(crate) fn checkpoint(&self) -> Result<Option<u64>, Failure> {
        let (frames, copied) = self.run_checkpoint(ffi::SQLITE_CHECKPOINT_PASSIVE)?;
        Ok(u64::try_from(frames).ok().filter(|_| frames == copied))
    }

    /// How many frames the WAL holds, up to its last commit.
    pub(crate) fn wal_frames(&self) -> Result<u64, Failure> {
        let (frames, _) = self.run_checkpoint(ffi::SQLITE_CHECKPOINT_NOOP)?;
        Ok(u64::try_from(frames).unwrap_or(0))
    }

    /// Frames in the WAL and those that are copied, which differ where a statement is under way.
    fn run_checkpoint(&self, mode: c_int) -> Result<(c_int, c_int), Failure> {
        let none = std::ptr::null();
        let (mut frames, mut copied): (c_int, c_int) = (0, 0);
        let (to_frames, to_copied) = (&raw mut frames, &raw mut copied);
        // SAFETY: the handle is open, null asks for all databases, the counts outlive the call.
        let code =
            unsafe { ffi::sqlite3_wal_checkpoint_v2(self.raw(), none, mode, to_frames, to_copied) };
        match code & 0xff {
            ffi::SQLITE_OK => Ok((frames, copied)),
            ffi::SQLITE_LOCKED | ffi::SQLITE_BUSY => Ok((-1, 0)),
            _ => Err(self.failure(code)),
        }
    }

    /// Whether a large transaction may write to the WAL before it is committed.
    pub(crate) fn set_spills(&self, spills: bool) -> Result<(), Failure> {
        let sql = if spills { "PRAGMA cache_spill = ON" } else { "PRAGMA cache_spill = OFF" };
        let set = self.as_runtime(|| self.raw.execute_batch(sql));
        set.map_err(|cause| Failure::new(ffi::SQLITE_ERROR, &cause.to_string(), None))
    }

    /// Checks a file that was made elsewhere, once: damage may lie where it is met late.
    fn check_if_foreign(&self) -> Result<(), String> {
        let id = |raw: &rusqlite::Connection| {
            raw.query_row("PRAGMA application_id", [], |row| row.get::<_, i32>(0))
        };
        match self.as_runtime(|| id(&self.raw)) {
            Ok(APPLICATION_ID) => return Ok(()),
            Ok(_) => self.quick_check()?,
            Err(cause) => return Err(explain(&cause)),
        }
        let mark = || self.raw.pragma_update(None, "application_id", APPLICATION_ID);
        self.as_runtime(mark).map_err(|cause| explain(&cause))
    }

    /// Looks for damage; the problem in words. SQLite reports a page that cannot be read as damage.
    pub(crate) fn quick_check(&self) -> Result<(), String> {
        let check =
            || self.raw.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
        let mut found = String::new();
        for _ in 0..2 {
            found = self.as_runtime(check).map_err(|cause| explain(&cause))?;
            if found == "ok" {
                return Ok(());
            }
        }
        let path = Path::new(self.raw.path().unwrap_or_default());
        match disk::read_through(path).and_then(|()| disk::read_through(&wal_of(path))) {
            Ok(()) => Err(format!("it is damaged ({found}); restore it from a backup")),
            Err(cause) => Err(format!("the disk reported an error: {cause}")),
        }
    }

    /// True while a statement has rows to give.
    pub(crate) fn is_reading(&self) -> bool {
        let mut statement = std::ptr::null_mut();
        loop {
            // SAFETY: the handle is open; null asks for its first statement.
            statement = unsafe { ffi::sqlite3_next_stmt(self.raw(), statement) };
            if statement.is_null() {
                return false;
            }
            // SAFETY: the statement is one of the handle's.
            if unsafe { ffi::sqlite3_stmt_busy(statement) } != 0 {
                return true;
            }
        }
    }

    /// Makes the database empty in one commit; statements that are under way are reset.
    pub(crate) fn empty(&self) -> Result<(), Failure> {
        let mut statement = std::ptr::null_mut();
        loop {
            // SAFETY: the handle is open, and the statement is null or one of its own.
            statement = unsafe { ffi::sqlite3_next_stmt(self.raw(), statement) };
            if statement.is_null() {
                break;
            }
            // SAFETY: the statement is one of the open handle; its code repeats an old failure.
            unsafe { ffi::sqlite3_reset(statement) };
        }
        let flag = DbConfig::SQLITE_DBCONFIG_RESET_DATABASE;
        let emptied = self.as_runtime(|| {
            // SQLite builds the empty database beside the old one, as an attached one.
            self.raw.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 1)?;
            self.raw.set_db_config(flag, true)?;
            self.raw.execute_batch("VACUUM")
        });
        let ended = self.raw.set_db_config(flag, false).map(|_| ());
        let limited = self.raw.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0).map(|_| ());
        emptied.and(ended).and(limited).map_err(|cause| {
            let code = cause.sqlite_error().map_or(ffi::SQLITE_ERROR, |error| error.extended_code);
            Failure::new(code, &cause.to_string(), None)
        })
    }

    /// Gives memory back that only caches use.
    pub(crate) fn release_memory(&self) {
        if let Err(cause) = self.raw.release_memory() {
            tracing::debug!(%cause, "sqlite kept its caches");
        }
    }

    /// Stops statements, a few thousand steps after `flag` turns true; `None` lets them run.
    pub(crate) fn set_interrupt(&self, flag: Option<Arc<AtomicBool>>) {
        let callback: Option<unsafe extern "C" fn(*mut c_void) -> c_int> =
            flag.is_some().then_some(on_progress);
        *self.hooks.interrupt.borrow_mut() = flag;
        let (db, hooks) = (self.raw(), self.hooks_pointer());
        // SAFETY: `hooks` outlives the handle, see the field order of `Connection`.
        unsafe { ffi::sqlite3_progress_handler(db, STEPS_BETWEEN_CHECKS, callback, hooks) };
    }

    fn install_hooks(&self) {
        let (db, hooks) = (self.raw(), self.hooks_pointer());
        // SAFETY: `hooks` outlives the handle, see the field order of `Connection`.
        unsafe { ffi::sqlite3_set_authorizer(db, Some(on_authorize), hooks) };
        // SAFETY: as above.
        unsafe { ffi::sqlite3_wal_hook(db, Some(on_wal_commit), hooks) };
    }

    /// Tables that the build has for [`crate::row_count`], and that the platform does not have.
    fn remove_tables_about_statements(&self) {
        let none = std::ptr::null();
        for name in [c"bytecode", c"tables_used"] {
            let (db, context) = (self.raw(), std::ptr::null_mut());
            // SAFETY: the handle is open; without a module SQLite forgets the one of that name.
            unsafe { ffi::sqlite3_create_module_v2(db, name.as_ptr(), none, context, None) };
        }
    }

    fn hooks_pointer(&self) -> *mut c_void {
        Rc::as_ptr(&self.hooks).cast_mut().cast()
    }
}

impl Hooks {
    /// Starts watching what a compilation asks for.
    pub(crate) fn forget(&self) {
        self.seen.set(Seen::default());
    }

    fn authorize(&self, request: &Request<'_>) -> c_int {
        if self.author.get() == Author::Runtime {
            return ffi::SQLITE_OK;
        }
        let mut seen = self.seen.get();
        match request.action {
            ffi::SQLITE_TRANSACTION | ffi::SQLITE_SAVEPOINT => seen.transaction = true,
            ffi::SQLITE_ALTER_TABLE => seen.alter = true,
            ffi::SQLITE_PRAGMA => {
                let pragma = request.first.unwrap_or_default();
                seen.optimize |= pragma.eq_ignore_ascii_case(b"optimize");
            }
            _ => {}
        }
        self.seen.set(seen);
        match decide(request) {
            Decision::Allow => ffi::SQLITE_OK,
            Decision::Deny => ffi::SQLITE_DENY,
        }
    }
}

/// Sets what holds for every database, before its file is touched.
fn configure(raw: &rusqlite::Connection, bytes_max: u64) -> rusqlite::Result<()> {
    for (limit, value) in LIMITS {
        raw.set_limit(*limit, *value)?;
    }
    raw.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    raw.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // A handle that closes late, with its last cursor, must not touch files that may belong to a
    // new database by then.
    raw.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    raw.execute_batch(PRAGMAS)?;
    let pages_max = bytes_max.div_ceil(PAGE_BYTES as u64);
    raw.pragma_update(None, "max_page_count", i64::try_from(pages_max).unwrap_or(i64::MAX))?;
    expect(raw, "PRAGMA journal_mode", "wal")?;
    expect(raw, "PRAGMA encoding", "UTF-8")
}

/// Refuses a file that is not as this crate needs it.
fn expect(raw: &rusqlite::Connection, pragma: &str, expected: &str) -> rusqlite::Result<()> {
    let found: String = raw.query_row(pragma, [], |row| row.get(0))?;
    if found == expected {
        return Ok(());
    }
    let problem = format!("its `{pragma}` is {found}; convert it to {expected}");
    Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_MISMATCH), Some(problem)))
}

/// What is wrong with a file that does not open, and how to mend it.
fn explain(cause: &rusqlite::Error) -> String {
    let rusqlite::Error::SqliteFailure(code, message) = cause else { return cause.to_string() };
    let message = message.as_deref().unwrap_or("no further details");
    match code.extended_code & 0xff {
        ffi::SQLITE_NOTADB => "it is not a SQLite database, or its first page is damaged; \
             move it away or restore it from a backup"
            .into(),
        ffi::SQLITE_CORRUPT => format!("it is damaged ({message}); restore it from a backup"),
        ffi::SQLITE_FULL => "the disk is full; free disk space".into(),
        ffi::SQLITE_READONLY | ffi::SQLITE_CANTOPEN | ffi::SQLITE_PERM => {
            format!("cannot write it ({message}); let the server's user write the file and folder")
        }
        ffi::SQLITE_IOERR => {
            let name = crate::result_code::name(code.extended_code);
            format!("the disk reported an error ({message}, {name}); check disk and file system")
        }
        _ => message.to_owned(),
    }
}

/// Called by SQLite while it compiles; null details become `None`.
///
/// # Safety
/// `hooks` is the pointer given with this callback, and what it points to is alive; details are
/// null or C strings.
unsafe extern "C" fn on_authorize(
    hooks: *mut c_void,
    action: c_int,
    first: *const c_char,
    second: *const c_char,
    database: *const c_char,
    _accessor: *const c_char,
) -> c_int {
    let detail = |text: *const c_char| {
        // SAFETY: a detail that is not null is a C string that outlives this call.
        (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes())
    };
    let (first, second, database) = (detail(first), detail(second), detail(database));
    // SAFETY: `hooks` is the pointer given to `sqlite3_set_authorizer`, still alive.
    unsafe { hooks_of(hooks) }.authorize(&Request { action, first, second, database })
}

/// Called by SQLite every [`STEPS_BETWEEN_CHECKS`] steps; not zero stops the statement.
///
/// # Safety
/// `hooks` is the pointer given with this callback, and what it points to is alive.
unsafe extern "C" fn on_progress(hooks: *mut c_void) -> c_int {
    // SAFETY: `hooks` is the pointer given to `sqlite3_progress_handler`, still alive.
    let flag = unsafe { hooks_of(hooks) }.interrupt.borrow();
    c_int::from(flag.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)))
}

/// Called by SQLite after a commit that wrote to the WAL.
///
/// # Safety
/// `hooks` is the pointer given with this callback, and what it points to is alive.
unsafe extern "C" fn on_wal_commit(
    hooks: *mut c_void,
    _db: *mut ffi::sqlite3,
    _database: *const c_char,
    pages: c_int,
) -> c_int {
    // SAFETY: `hooks` is the pointer given to `sqlite3_wal_hook`, still alive.
    unsafe { hooks_of(hooks) }.wal_pages.set(u32::try_from(pages).ok());
    ffi::SQLITE_OK
}

/// # Safety
/// `hooks` comes from [`Connection::hooks_pointer`] and its connection is alive.
unsafe fn hooks_of<'a>(hooks: *mut c_void) -> &'a Hooks {
    // SAFETY: the caller's duty.
    unsafe { &*hooks.cast::<Hooks>() }
}

/// Virtual machine steps between two looks at the interrupt flag: tens of microseconds.
const STEPS_BETWEEN_CHECKS: c_int = 4_000;

/// In this order: the locking mode must be set before the first access; the journal limit cuts what
/// one huge transaction leaves behind.
const PRAGMAS: &str = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; \
     PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0; PRAGMA mmap_size = 0; \
     PRAGMA cell_size_check = ON; PRAGMA journal_size_limit = 16777216; \
     SELECT count(*) FROM sqlite_schema;";

/// Limits of the platform (ST-31); the last three are SQLite's own and younger than the platform's.
const LIMITS: &[(Limit, i32)] = &[
    (Limit::SQLITE_LIMIT_LENGTH, 4 << 20),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
    (Limit::SQLITE_LIMIT_COLUMN, 100),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 5),
    (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 127),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 100),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 10),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    (Limit::SQLITE_LIMIT_PARSER_DEPTH, 1_000),
    (Limit::SQLITE_LIMIT_SCHEMA, 10_000),
    (Limit::SQLITE_LIMIT_TRIGGER_STEPS, 100),
];
