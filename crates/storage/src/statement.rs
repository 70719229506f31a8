//! One compiled SQL statement, owned: no lifetime ties it to its connection.
//!
//! Every `unsafe` call on a statement is here. A statement is finalized on drop, before its
//! connection can close, because it holds the connection.

use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::rc::Rc;

use rusqlite::ffi;
use rusqlite::types::{ToSql, ToSqlOutput};

use crate::connection::Connection;
use crate::result_code::Failure;
use crate::row_count::{Counted, Programs, RowCount};
use crate::value::ValueRef;

/// A compiled statement.
pub(crate) struct Statement {
    raw: NonNull<ffi::sqlite3_stmt>,
    connection: Rc<Connection>,
    columns: RefCell<Rc<[Rc<str>]>>,
    // How often SQLite had compiled the statement anew when `columns` was read.
    columns_version: Cell<c_int>,
    parameters: usize,
    writes: bool,
    // Runs that were counted, and what triggers had read and written at an earlier one of them.
    runs: Cell<u64>,
    triggers: Cell<(u64, RowCount)>,
}

/// What a step found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Row,
    Done,
}

/// A statement of the runtime, compiled when it is first used.
pub(crate) struct Prepared {
    sql: &'static str,
    statement: OnceCell<Rc<Statement>>,
}

impl Statement {
    /// Compiles the first statement of `sql`; also returns the text behind it. `None` when there
    /// is only white space and comments.
    pub(crate) fn compile<'sql>(
        connection: &Rc<Connection>,
        sql: &'sql str,
    ) -> Result<(Option<Statement>, &'sql str), Failure> {
        let mut raw = ptr::null_mut();
        let mut tail = ptr::null();
        let start = sql.as_ptr().cast::<c_char>();
        let length = c_int::try_from(sql.len()).unwrap_or(c_int::MAX);
        let (db, flags) = (connection.raw(), ffi::SQLITE_PREPARE_PERSISTENT);
        // SAFETY: `start` has `length` readable bytes, and the handle is open.
        let code = unsafe {
            ffi::sqlite3_prepare_v3(db, start, length, flags, &raw mut raw, &raw mut tail)
        };
        if code != ffi::SQLITE_OK {
            return Err(connection.failure(code));
        }
        let rest = sql.get(tail.addr() - start.addr()..).unwrap_or_default();
        Ok((NonNull::new(raw).map(|raw| Statement::new(raw, connection)), rest))
    }

    fn new(raw: NonNull<ffi::sqlite3_stmt>, connection: &Rc<Connection>) -> Statement {
        // SAFETY: the statement was just compiled.
        let parameters = unsafe { ffi::sqlite3_bind_parameter_count(raw.as_ptr()) };
        // SAFETY: as above.
        let read_only = unsafe { ffi::sqlite3_stmt_readonly(raw.as_ptr()) } != 0;
        // SAFETY: as above.
        let explains = unsafe { ffi::sqlite3_stmt_isexplain(raw.as_ptr()) } != 0;
        let statement = Statement {
            raw,
            connection: connection.clone(),
            columns: RefCell::default(),
            columns_version: Cell::new(0),
            parameters: usize::try_from(parameters).unwrap_or(0),
            writes: !read_only && !explains,
            runs: Cell::new(0),
            triggers: Cell::default(),
        };
        statement.columns.replace(statement.read_columns());
        statement
    }

    /// How many parameters the statement has.
    pub(crate) fn parameters(&self) -> usize {
        self.parameters
    }

    /// True when running it may change the database.
    pub(crate) fn writes(&self) -> bool {
        self.writes
    }

    /// Overrides what SQLite says about [`writes`](Self::writes).
    pub(crate) fn set_writes(&mut self) {
        self.writes = true;
    }

    /// The names of the result's columns. The same allocation until they change.
    pub(crate) fn columns(&self) -> Rc<[Rc<str>]> {
        let version = self.count(ffi::SQLITE_STMTSTATUS_REPREPARE, Counter::Keep);
        if version != self.columns_version.get() {
            self.columns_version.set(version);
            let columns = self.read_columns();
            if columns != *self.columns.borrow() {
                self.columns.replace(columns);
            }
        }
        self.columns.borrow().clone()
    }

    fn read_columns(&self) -> Rc<[Rc<str>]> {
        // SAFETY: the statement is alive.
        let count = unsafe { ffi::sqlite3_column_count(self.raw.as_ptr()) };
        let name = |column| {
            // SAFETY: the column exists.
            let name = unsafe { ffi::sqlite3_column_name(self.raw.as_ptr(), column) };
            if name.is_null() {
                return Rc::from("");
            }
            // SAFETY: a name is a C string until the next call for the same column.
            Rc::from(unsafe { CStr::from_ptr(name) }.to_string_lossy())
        };
        (0..count).map(name).collect()
    }

    /// Binds a copy of `value` to the parameter `index`, counted from 1.
    pub(crate) fn bind(&self, index: usize, value: ValueRef<'_>) -> Result<(), Failure> {
        // SAFETY: SQLite copies what it is given with this destructor.
        unsafe { self.bind_with(index, value, ffi::SQLITE_TRANSIENT()) }
    }

    /// Binds `value` without copying it.
    ///
    /// # Safety
    /// [`clear`](Self::clear) is called before `value` goes away.
    pub(crate) unsafe fn bind_borrowed(
        &self,
        index: usize,
        value: ValueRef<'_>,
    ) -> Result<(), Failure> {
        // SAFETY: the caller's duty.
        unsafe { self.bind_with(index, value, ffi::SQLITE_STATIC()) }
    }

    /// Binds raw bytes as text, which need not be UTF-8. SQLite copies them.
    pub(crate) fn bind_text_bytes(&self, index: usize, text: &[u8]) -> Result<(), Failure> {
        let (raw, index) = (self.raw.as_ptr(), position(index));
        let (start, length, utf8) = (text.as_ptr().cast(), text.len() as u64, UTF8);
        let copies = ffi::SQLITE_TRANSIENT();
        // SAFETY: `start` has `length` readable bytes, which SQLite copies.
        let code = unsafe { ffi::sqlite3_bind_text64(raw, index, start, length, copies, utf8) };
        self.checked(code)
    }

    /// # Safety
    /// With a destructor that does not copy, the duty of [`bind_borrowed`](Self::bind_borrowed).
    unsafe fn bind_with(
        &self,
        index: usize,
        value: ValueRef<'_>,
        destructor: ffi::sqlite3_destructor_type,
    ) -> Result<(), Failure> {
        let (raw, index) = (self.raw.as_ptr(), position(index));
        let code = match value {
            // SAFETY: the statement is alive, here and below.
            ValueRef::Null => unsafe { ffi::sqlite3_bind_null(raw, index) },
            // SAFETY: as above.
            ValueRef::Integer(number) => unsafe { ffi::sqlite3_bind_int64(raw, index, number) },
            // SAFETY: as above.
            ValueRef::Real(number) => unsafe { ffi::sqlite3_bind_double(raw, index, number) },
            ValueRef::Text(text) => {
                let (start, length) = (text.as_ptr().cast(), text.len() as u64);
                // SAFETY: `start` has `length` bytes; for how long is the caller's duty.
                unsafe { ffi::sqlite3_bind_text64(raw, index, start, length, destructor, UTF8) }
            }
            ValueRef::Blob(bytes) => {
                let (start, length) = (bytes.as_ptr().cast(), bytes.len() as u64);
                // SAFETY: `start` has `length` bytes; for how long is the caller's duty.
                unsafe { ffi::sqlite3_bind_blob64(raw, index, start, length, destructor) }
            }
        };
        self.checked(code)
    }

    /// Moves to the next row. After a failure the statement is reset.
    pub(crate) fn step(&self) -> Result<Step, Failure> {
        // SAFETY: the statement is alive.
        match unsafe { ffi::sqlite3_step(self.raw.as_ptr()) } {
            ffi::SQLITE_ROW => Ok(Step::Row),
            ffi::SQLITE_DONE => Ok(Step::Done),
            code => {
                let failure = self.connection.failure(code);
                self.reset();
                Err(failure)
            }
        }
    }

    /// Ends the run: no row is current, locks are given back, and it can run again.
    pub(crate) fn reset(&self) {
        // SAFETY: the statement is alive. The code repeats the failure of the last step.
        unsafe { ffi::sqlite3_reset(self.raw.as_ptr()) };
    }

    /// [`reset`](Self::reset), and forgets all bindings.
    pub(crate) fn clear(&self) {
        self.reset();
        if self.parameters > 0 {
            // SAFETY: the statement is alive.
            unsafe { ffi::sqlite3_clear_bindings(self.raw.as_ptr()) };
        }
    }

    /// Runs to the end and drops the rows.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        while self.step()? == Step::Row {}
        self.reset();
        Ok(())
    }

    /// Begins a run whose rows are to be counted; returns its number.
    pub(crate) fn count_anew(&self) -> u64 {
        // SAFETY: the statement is alive.
        unsafe { ffi::sqlite3_stmt_scanstatus_reset(self.raw.as_ptr()) };
        self.runs.set(self.runs.get() + 1);
        self.runs.get()
    }

    /// Rows of the run that [`count_anew`](Self::count_anew) began; `None` when a later run took
    /// its place.
    pub(crate) fn rows_of_run(&self, run: u64, counted: &dyn Counted) -> Option<RowCount> {
        if run != self.runs.get() {
            return None;
        }
        let programs = Programs::of(self)?;
        let (main, all) = (programs.main(counted), programs.triggers(counted));
        let (last, before) = self.triggers.get();
        // SQLite counts triggers over all runs; of several the share of each is not known.
        let runs = run.saturating_sub(last).max(1);
        let part = |all: u64, before: u64| all.saturating_sub(before) / runs;
        Some(RowCount {
            read: main.read + part(all.read, before.read),
            written: main.written + part(all.written, before.written),
        })
    }

    /// One of SQLite's counters of this statement.
    pub(crate) fn count(&self, counter: c_int, after: Counter) -> c_int {
        let restart = c_int::from(matches!(after, Counter::Restart));
        // SAFETY: the statement is alive.
        unsafe { ffi::sqlite3_stmt_status(self.raw.as_ptr(), counter, restart) }
    }

    /// The value in `column` of the current row; `Null` without a row or column.
    ///
    /// # Safety
    /// The statement is neither stepped nor reset while the value is in use.
    pub(crate) unsafe fn value(&self, column: usize) -> Result<ValueRef<'_>, NotUtf8<'_>> {
        // SAFETY: the statement is alive; without a row SQLite returns a null value.
        let value = unsafe { ffi::sqlite3_column_value(self.raw.as_ptr(), position(column)) };
        // SAFETY: `value` is valid until the next step or reset, here and below.
        Ok(match unsafe { ffi::sqlite3_value_type(value) } {
            // SAFETY: as above.
            ffi::SQLITE_INTEGER => ValueRef::Integer(unsafe { ffi::sqlite3_value_int64(value) }),
            // SAFETY: as above.
            ffi::SQLITE_FLOAT => ValueRef::Real(unsafe { ffi::sqlite3_value_double(value) }),
            ffi::SQLITE_TEXT => {
                // SAFETY: as above.
                let bytes = unsafe { bytes_of(value) };
                ValueRef::Text(std::str::from_utf8(bytes).map_err(|_| NotUtf8(bytes))?)
            }
            // SAFETY: as above.
            ffi::SQLITE_BLOB => ValueRef::Blob(unsafe { bytes_of(value) }),
            _ => ValueRef::Null,
        })
    }

    fn checked(&self, code: c_int) -> Result<(), Failure> {
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(self.connection.failure(code)) }
    }
}

/// How a statement is handed to SQLite's own tables about statements.
impl ToSql for Statement {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let pointer = self.raw.as_ptr().cast_const().cast::<c_void>();
        Ok(ToSqlOutput::Pointer((pointer, c"stmt-pointer", None)))
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: the statement is alive and nobody uses it any more; its connection is open.
        unsafe { ffi::sqlite3_finalize(self.raw.as_ptr()) };
    }
}

impl Prepared {
    pub(crate) const fn new(sql: &'static str) -> Prepared {
        Prepared { sql, statement: OnceCell::new() }
    }

    /// The statement, if it was used before.
    pub(crate) fn compiled(&self) -> Option<&Rc<Statement>> {
        self.statement.get()
    }

    /// The statement, compiled on first use.
    pub(crate) fn on(&self, connection: &Rc<Connection>) -> Result<&Rc<Statement>, Failure> {
        if let Some(statement) = self.statement.get() {
            return Ok(statement);
        }
        let (statement, _) = Statement::compile(connection, self.sql)?;
        let statement = statement.expect("a constant of this crate holds a statement");
        Ok(self.statement.get_or_init(|| Rc::new(statement)))
    }
}

/// Text in the database that is not UTF-8.
pub(crate) struct NotUtf8<'a>(pub(crate) &'a [u8]);

/// What happens to a counter that was read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Counter {
    Keep,
    Restart,
}

/// The bytes of a text or blob. `value_blob` does not copy, where `value_text` might to end the
/// text with a zero; the database's encoding is UTF-8.
///
/// # Safety
/// `value` is valid and unchanged while the result is in use.
unsafe fn bytes_of<'a>(value: *mut ffi::sqlite3_value) -> &'a [u8] {
    // SAFETY: the caller's duty.
    let start = unsafe { ffi::sqlite3_value_blob(value) }.cast::<u8>();
    // SAFETY: the caller's duty. The length must be asked after the bytes.
    let length = unsafe { ffi::sqlite3_value_bytes(value) };
    if start.is_null() {
        return &[];
    }
    // SAFETY: SQLite holds `length` bytes at `start`.
    unsafe { std::slice::from_raw_parts(start, usize::try_from(length).unwrap_or(0)) }
}

/// An index as SQLite takes it; one that does not fit names no parameter or column.
fn position(index: usize) -> c_int {
    c_int::try_from(index).unwrap_or(c_int::MAX)
}

const UTF8: u8 = ffi::SQLITE_UTF8 as u8;
