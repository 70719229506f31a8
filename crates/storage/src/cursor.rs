//! The rows of a user's statement, one at a time.
//!
//! A cursor stands on a row from the start, or has none. A reading statement goes on lazily and
//! goes back to the statement cache as soon as it has no more rows. The rows of a writing one
//! (`RETURNING`) were collected when it ran, because SQLite does not commit while it is under way.
//!
//! The rows it read and wrote are counted when somebody asks (`row_count.rs`). By then its
//! statement may have run again, which takes the count away; from the first question on, the
//! database therefore counts at the end of every run.
//!
//! An open reading cursor keeps a read transaction open: the WAL cannot be copied into the
//! database while it exists. It is no snapshot (ST-24).

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use rusqlite::ffi;

use crate::database::Open;
use crate::error::Error;
use crate::row_count::{Counted, RowCount};
use crate::statement::{Counter, NotUtf8, Statement, Step};
use crate::statement_cache::Compiled;
use crate::value::{Value, ValueRef};

/// The result of [`crate::Database::exec`].
pub struct Cursor {
    open: Rc<Open>,
    rows: Rows,
    columns: Rc<[Rc<str>]>,
    // Texts of the current row that were not UTF-8, made readable.
    repaired: RefCell<Vec<Box<str>>>,
    resets: u64,
    rows_seen: u64,
    rows_scanned: u64,
    changes: u64,
    source: Option<(Weak<Compiled>, u64)>,
    counted: Cell<Option<RowCount>>,
}

/// Where the rows come from.
enum Rows {
    /// From the statement, which stands on the current row and is marked busy.
    Reading(Rc<Compiled>),
    /// From memory; `next` is the first value of the current row.
    Collected { values: Vec<Value>, next: usize },
    /// There are no more.
    Done,
}

impl Cursor {
    /// Binds, and runs to the first row; a writing statement to its end.
    pub(crate) fn start(
        open: &Rc<Open>,
        compiled: Rc<Compiled>,
        bindings: &[ValueRef<'_>],
    ) -> Result<Cursor, Error> {
        let mut cursor = Cursor {
            open: open.clone(),
            rows: Rows::Done,
            columns: compiled.last.columns(),
            repaired: RefCell::default(),
            resets: open.resets(),
            rows_seen: 0,
            rows_scanned: 0,
            changes: 0,
            source: Some((Rc::downgrade(&compiled), compiled.last.count_anew())),
            counted: Cell::new(None),
        };
        if compiled.last.writes() {
            cursor.write(&compiled, bindings)?;
        } else {
            cursor.read(compiled, bindings)?;
        }
        Ok(cursor)
    }

    /// The names of the columns, duplicates included; empty for statements without a result. The
    /// allocation stays the same for a cached statement until its columns change.
    #[must_use]
    pub fn column_names(&self) -> &Rc<[Rc<str>]> {
        &self.columns
    }

    /// How many columns a row has.
    #[must_use]
    pub fn column_count(&self) -> usize {
        self.columns.len()
    }

    /// True while the cursor stands on a row.
    #[must_use]
    pub fn has_row(&self) -> bool {
        !matches!(self.rows, Rows::Done)
    }

    /// The value in `column` of the current row, counted from 0; `Null` where there is none.
    /// Borrows SQLite's memory.
    #[must_use]
    pub fn value(&self, column: usize) -> ValueRef<'_> {
        match &self.rows {
            Rows::Reading(compiled) => {
                // SAFETY: the statement is busy, so only `advance` and `drop` step or reset it,
                // and they need the cursor for themselves.
                let value = unsafe { compiled.last.value(column) };
                value.unwrap_or_else(|NotUtf8(bytes)| ValueRef::Text(self.repair(bytes)))
            }
            Rows::Collected { values, next } if column < self.columns.len() => {
                values[next + column].borrow()
            }
            Rows::Collected { .. } | Rows::Done => ValueRef::Null,
        }
    }

    /// Moves to the next row; false when there is none, and the statement is free again.
    ///
    /// # Errors
    /// As [`crate::Database::exec`], and [`Error::AppCanceled`] once the database is closed. The
    /// cursor then has no rows.
    pub fn advance(&mut self) -> Result<bool, Error> {
        self.repaired.get_mut().clear();
        let step = match &mut self.rows {
            Rows::Done => return Ok(false),
            Rows::Collected { values, next } => {
                *next += self.columns.len();
                let more = *next < values.len();
                if more { Ok(Step::Row) } else { Ok(Step::Done) }
            }
            Rows::Reading(compiled) => {
                let resets = self.resets;
                self.open.check_cursor(resets).and_then(|()| self.open.step(&compiled.last))
            }
        };
        match step {
            Ok(Step::Row) => {
                self.rows_seen += 1;
                Ok(true)
            }
            Ok(Step::Done) => {
                self.finish();
                Ok(false)
            }
            Err(error) => {
                self.finish();
                Err(error)
            }
        }
    }

    /// Rows read so far, as workerd's SQLite counts them.
    #[must_use]
    pub fn rows_read(&self) -> u64 {
        self.count().read
    }

    /// Rows written so far, entries of indexes and rows of triggers included.
    #[must_use]
    pub fn rows_written(&self) -> u64 {
        self.count().written
    }

    fn count(&self) -> RowCount {
        self.open.counts_rows.set(true);
        if let Some(counted) = self.counted.get() {
            return counted;
        }
        let source = self.source.as_ref();
        let count = source.and_then(|(compiled, run)| {
            let counted = Counts { open: &self.open, changes: self.changes };
            compiled.upgrade()?.last.rows_of_run(*run, &counted)
        });
        // What is known without SQLite's help, where nobody asked in time.
        count.unwrap_or_else(|| {
            let scanned = match &self.rows {
                Rows::Reading(compiled) => scanned(&compiled.last, Counter::Keep),
                Rows::Collected { .. } | Rows::Done => self.rows_scanned,
            };
            RowCount { read: self.rows_seen.max(scanned), written: self.changes }
        })
    }

    /// The run is over; the statement may begin another.
    fn count_at_end(&self, statement: &Statement) {
        if self.open.counts_rows.get()
            && let Some((_, run)) = &self.source
        {
            let counted = Counts { open: &self.open, changes: self.changes };
            self.counted.set(statement.rows_of_run(*run, &counted));
        }
    }

    fn read(&mut self, compiled: Rc<Compiled>, bindings: &[ValueRef<'_>]) -> Result<(), Error> {
        let statement = &compiled.last;
        for (index, value) in bindings.iter().enumerate() {
            statement.bind(index + 1, *value).map_err(|failure| self.open.fail(failure))?;
        }
        let first = self.open.step(statement);
        self.columns = statement.columns();
        match first {
            Ok(Step::Row) => {
                compiled.busy.set(true);
                self.rows_seen = 1;
                self.rows = Rows::Reading(compiled);
                Ok(())
            }
            Ok(Step::Done) => {
                self.rows_scanned = scanned(statement, Counter::Restart);
                self.count_at_end(statement);
                statement.clear();
                Ok(())
            }
            Err(error) => {
                statement.clear();
                Err(error)
            }
        }
    }

    fn write(&mut self, compiled: &Compiled, bindings: &[ValueRef<'_>]) -> Result<(), Error> {
        let statement = &compiled.last;
        self.open.begin()?;
        let connection = self.open.connection.clone();
        let before = connection.total_changes();
        let values = self.collect(statement, bindings);
        // Also on failure: the bindings are borrowed.
        self.rows_scanned = scanned(statement, Counter::Restart);
        self.changes = connection.total_changes() - before;
        self.count_at_end(statement);
        statement.clear();
        let values = values?;
        if !values.is_empty() {
            self.rows_seen = 1;
            self.rows = Rows::Collected { values, next: 0 };
        }
        Ok(())
    }

    /// Runs a writing statement to its end. The caller clears it afterwards.
    fn collect(
        &mut self,
        statement: &Statement,
        bindings: &[ValueRef<'_>],
    ) -> Result<Vec<Value>, Error> {
        for (index, value) in bindings.iter().enumerate() {
            // SAFETY: `write` clears the bindings before it returns, and they outlive it.
            let bound = unsafe { statement.bind_borrowed(index + 1, *value) };
            bound.map_err(|failure| self.open.fail(failure))?;
        }
        let mut values = Vec::new();
        let mut bytes = 0;
        while self.open.step(statement)? == Step::Row {
            if values.is_empty() {
                self.columns = statement.columns();
            }
            for column in 0..self.columns.len() {
                // SAFETY: the value is copied before the next step.
                let value = match unsafe { statement.value(column) } {
                    Ok(value) => value.to_owned(),
                    Err(NotUtf8(text)) => Value::Text(String::from_utf8_lossy(text).into()),
                };
                bytes += value.borrow().bytes();
                values.push(value);
            }
            if bytes > RETURNED_BYTES_MAX {
                return Err(Error::limit(TOO_MUCH_RETURNED));
            }
        }
        if values.is_empty() {
            self.columns = statement.columns();
        }
        Ok(values)
    }

    /// Gives the statement back.
    fn finish(&mut self) {
        if let Rows::Reading(compiled) = std::mem::replace(&mut self.rows, Rows::Done) {
            self.rows_scanned = scanned(&compiled.last, Counter::Restart);
            self.count_at_end(&compiled.last);
            compiled.last.clear();
            compiled.busy.set(false);
        }
    }

    fn repair(&self, bytes: &[u8]) -> &str {
        let text = String::from_utf8_lossy(bytes).into_owned().into_boxed_str();
        let start: *const str = &raw const *text;
        self.repaired.borrow_mut().push(text);
        // SAFETY: the box keeps its address while it is in the list, which only `advance` clears,
        // and that needs the cursor for itself.
        unsafe { &*start }
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        self.finish();
    }
}

/// What the database knows of a run.
struct Counts<'a> {
    open: &'a Open,
    changes: u64,
}

impl Counted for Counts<'_> {
    fn rows_of(&self, root: i64) -> u64 {
        self.open.rows_of(root).unwrap_or(0)
    }

    fn changes(&self) -> u64 {
        self.changes
    }
}

/// Rows a statement passed in scans of whole tables. SQLite counts the moves to a next row.
fn scanned(statement: &Statement, after: Counter) -> u64 {
    let moves = statement.count(ffi::SQLITE_STMTSTATUS_FULLSCAN_STEP, after);
    u64::try_from(moves).map_or(0, |moves| if moves == 0 { 0 } else { moves + 1 })
}

/// Memory for the rows of one `RETURNING`. They lie in SQLite's memory at the same time.
pub const RETURNED_BYTES_MAX: usize = 32 << 20;

const TOO_MUCH_RETURNED: &str = "SQL query result set is too large to fit in memory. The rows were \
     written, but RETURNING may give back at most 32 MiB.";
