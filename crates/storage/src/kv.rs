//! The key-value table of a database (`spec/workers.md` ST-5, ST-6, ST-11, ST-13).
//!
//! `_cf_KV(key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID`, ordered by the bytes of the key,
//! created with the first write; a rollback may take the table away again. One list is alive at a
//! time.

use std::cell::Cell;
use std::rc::Rc;

use crate::database::{Database, Open};
use crate::error::Error;
use crate::statement::{NotUtf8, Prepared, Statement, Step};
use crate::value::ValueRef;

/// Which keys a list gives, and how.
#[derive(Debug, Clone, Default)]
pub struct KvList {
    /// The first key, itself included.
    pub start: Option<String>,
    /// The keys behind this one. Callers refuse it together with `start`; here the later wins.
    pub start_after: Option<String>,
    /// The keys before this one.
    pub end: Option<String>,
    /// Only keys that begin so.
    pub prefix: Option<String>,
    /// From the last key to the first; the bounds keep their meaning.
    pub reverse: bool,
    /// At most so many.
    pub limit: Option<u64>,
}

/// The entries of a list, read as they are asked for.
pub struct KvCursor {
    open: Rc<Open>,
    list: u64,
    resets: u64,
    // `None` when there are no more.
    statement: Option<Rc<Statement>>,
}

/// The statements of the table, and what is known of it.
pub(crate) struct Statements {
    // True when it is known to exist.
    exists: Cell<bool>,
    // Counts the lists; only the newest may read.
    list: Cell<u64>,
    look: Prepared,
    create: Prepared,
    get: Prepared,
    put: Prepared,
    delete: Prepared,
    // By end (open, bounded) and order (ascending, descending).
    lists: [[Prepared; 2]; 2],
}

impl Database {
    /// The value under `key`.
    ///
    /// # Errors
    /// As [`Database::exec`].
    pub fn kv_get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let open = &self.open;
        open.check()?;
        if !open.kv_exists()? {
            return Ok(None);
        }
        open.run_runtime(&open.kv.get, &[ValueRef::Text(key)], |statement, step| {
            // SAFETY: the value is copied before the statement is reset.
            (step == Step::Row).then(|| blob(unsafe { statement.value(0) }))
        })
    }

    /// Sets the value under `key`.
    ///
    /// # Errors
    /// [`Error::AppLimit`] when key and value are too large together, else as [`Database::exec`].
    pub fn kv_put(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        let open = &self.open;
        open.check()?;
        open.begin()?;
        if !open.kv_exists()? {
            open.run_runtime(&open.kv.create, &[], |_, _| ())?;
            open.kv.exists.set(true);
        }
        open.run_runtime(&open.kv.put, &[ValueRef::Text(key), ValueRef::Blob(value)], |_, _| ())
    }

    /// Sets all values or none.
    ///
    /// # Errors
    /// As [`kv_put`](Self::kv_put).
    pub fn kv_put_all(&self, entries: &[(String, impl AsRef<[u8]>)]) -> Result<(), Error> {
        self.savepoint()?;
        let put = entries.iter().try_for_each(|(key, value)| self.kv_put(key, value.as_ref()));
        match put {
            Ok(()) => self.release(),
            Err(error) => {
                // A database that broke meanwhile has no savepoint left to go back to.
                if self.savepoints() > 0 {
                    self.roll_back()?;
                }
                Err(error)
            }
        }
    }

    /// Removes `key`; false when it was not there.
    ///
    /// # Errors
    /// As [`Database::exec`].
    pub fn kv_delete(&self, key: &str) -> Result<bool, Error> {
        let open = &self.open;
        open.check()?;
        if !open.kv_exists()? {
            return Ok(false);
        }
        open.begin()?;
        let before = open.connection.total_changes();
        open.run_runtime(&open.kv.delete, &[ValueRef::Text(key)], |_, _| ())?;
        Ok(open.connection.total_changes() > before)
    }

    /// Begins a list, which ends the one before.
    ///
    /// # Errors
    /// As [`Database::exec`].
    pub fn kv_list(&self, options: &KvList) -> Result<KvCursor, Error> {
        let open = &self.open;
        open.check()?;
        open.kv.list.set(open.kv.list.get() + 1);
        open.kv.stop_lists();
        let (list, resets) = (open.kv.list.get(), open.resets());
        let mut cursor = KvCursor { open: open.clone(), list, resets, statement: None };
        let Some((start, end)) = bounds(options) else { return Ok(cursor) };
        if !open.kv_exists()? {
            return Ok(cursor);
        }
        let prepared = &open.kv.lists[usize::from(end.is_some())][usize::from(options.reverse)];
        let limit = options.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
        let bound = open.connection.as_runtime(|| {
            let statement = prepared.on(&open.connection)?;
            statement.bind(1, ValueRef::Integer(limit))?;
            statement.bind_text_bytes(2, &start)?;
            end.as_ref().map_or(Ok(()), |end| statement.bind_text_bytes(3, end))?;
            Ok(statement.clone())
        });
        cursor.statement = Some(bound.map_err(|failure| open.fail(failure))?);
        Ok(cursor)
    }

    /// How many keys there are.
    ///
    /// # Errors
    /// As [`Database::exec`].
    pub fn kv_count(&self) -> Result<u64, Error> {
        let mut cursor = self.kv_list(&KvList::default())?;
        let mut count = 0;
        while cursor.step()? {
            count += 1;
        }
        Ok(count)
    }
}

impl KvCursor {
    /// The next key with its value.
    ///
    /// # Errors
    /// [`Error::AppCanceled`] when a newer list began or the database was closed, else as
    /// [`Database::exec`].
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot fail and go on")]
    pub fn next(&mut self) -> Result<Option<(String, Vec<u8>)>, Error> {
        if !self.step()? {
            return Ok(None);
        }
        let Some(statement) = &self.statement else { return Ok(None) };
        // SAFETY: the key is copied before the next step.
        let key = match unsafe { statement.value(0) } {
            Ok(ValueRef::Text(key)) => key.to_owned(),
            Err(NotUtf8(key)) => String::from_utf8_lossy(key).into_owned(),
            Ok(_) => String::new(),
        };
        // SAFETY: the value is copied before the next step.
        let value = blob(unsafe { statement.value(1) });
        Ok(Some((key, value)))
    }

    fn step(&mut self) -> Result<bool, Error> {
        let open = &self.open;
        open.check_cursor(self.resets)?;
        if self.list != open.kv.list.get() {
            return Err(Error::canceled(INVALIDATED));
        }
        let Some(statement) = &self.statement else { return Ok(false) };
        match open.connection.as_runtime(|| statement.step()) {
            Ok(Step::Row) => Ok(true),
            Ok(Step::Done) => {
                self.finish();
                Ok(false)
            }
            Err(failure) => {
                let error = open.fail(failure);
                self.finish();
                Err(error)
            }
        }
    }

    fn finish(&mut self) {
        let newest = self.list == self.open.kv.list.get();
        if let Some(statement) = self.statement.take().filter(|_| newest) {
            statement.clear();
        }
    }
}

impl Drop for KvCursor {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Open {
    fn kv_exists(&self) -> Result<bool, Error> {
        if !self.kv.exists.get() {
            let found = self.run_runtime(&self.kv.look, &[], |_, step| step == Step::Row)?;
            self.kv.exists.set(found);
        }
        Ok(self.kv.exists.get())
    }
}

impl Statements {
    pub(crate) fn new() -> Statements {
        Statements {
            exists: Cell::new(false),
            list: Cell::new(0),
            look: Prepared::new("SELECT 1 FROM sqlite_schema WHERE name = '_cf_KV'"),
            create: Prepared::new(
                "CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID",
            ),
            get: Prepared::new("SELECT value FROM _cf_KV WHERE key = ?"),
            put: Prepared::new(
                "INSERT INTO _cf_KV VALUES (?, ?) \
                 ON CONFLICT DO UPDATE SET value = excluded.value",
            ),
            delete: Prepared::new("DELETE FROM _cf_KV WHERE key = ?"),
            lists: [
                [
                    Prepared::new(
                        "SELECT key, value FROM _cf_KV WHERE key >= ?2 \
                         ORDER BY key LIMIT ?1",
                    ),
                    Prepared::new(
                        "SELECT key, value FROM _cf_KV WHERE key >= ?2 \
                         ORDER BY key DESC LIMIT ?1",
                    ),
                ],
                [
                    Prepared::new(
                        "SELECT key, value FROM _cf_KV WHERE key >= ?2 AND key < ?3 \
                         ORDER BY key LIMIT ?1",
                    ),
                    Prepared::new(
                        "SELECT key, value FROM _cf_KV WHERE key >= ?2 AND key < ?3 \
                         ORDER BY key DESC LIMIT ?1",
                    ),
                ],
            ],
        }
    }

    /// Called by a rollback, which may have removed the table.
    pub(crate) fn forget_table(&self) {
        self.exists.set(false);
    }

    pub(crate) fn stop_lists(&self) {
        for statement in self.lists.iter().flatten().filter_map(Prepared::compiled) {
            statement.clear();
        }
    }
}

/// The first key and the key behind the last, as bytes; `None` when nothing lies between.
fn bounds(options: &KvList) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    let bytes = |text: &Option<String>| text.as_ref().map(|text| text.as_bytes().to_vec());
    let after = bytes(&options.start_after).map(|mut key| {
        key.push(0);
        key
    });
    let prefix = bytes(&options.prefix).unwrap_or_default();
    let start = bytes(&options.start).max(after).unwrap_or_default().max(prefix.clone());
    let end = match (bytes(&options.end), behind(prefix)) {
        (Some(end), Some(behind)) => Some(end.min(behind)),
        (end, behind) => end.or(behind),
    };
    let empty = options.limit == Some(0) || end.as_ref().is_some_and(|end| *end <= start);
    (!empty).then_some((start, end))
}

/// The first key behind all that begin with `prefix`; `None` when there is none.
fn behind(mut prefix: Vec<u8>) -> Option<Vec<u8>> {
    while let Some(last) = prefix.pop() {
        if last < 0xff {
            prefix.push(last + 1);
            return Some(prefix);
        }
    }
    None
}

fn blob(value: Result<ValueRef<'_>, NotUtf8<'_>>) -> Vec<u8> {
    match value {
        Ok(ValueRef::Blob(bytes)) | Err(NotUtf8(bytes)) => bytes.to_vec(),
        Ok(ValueRef::Text(text)) => text.as_bytes().to_vec(),
        Ok(_) => Vec::new(),
    }
}

const INVALIDATED: &str = "kv.list() iterator was invalidated because a new call to kv.list() was \
     started. Only one kv.list() iterator can exist at a time.";
