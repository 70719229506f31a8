//! The runtime's own numbers in a database (`spec/workers.md` 4.9).
//!
//! `_cf_METADATA(key INTEGER PRIMARY KEY, value BLOB)`, as workerd lays it out: key 1 is the time
//! of the alarm in nanoseconds, key -1 (ours) the name of the root. Created with the first write,
//! within the implicit transaction.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use crate::database::{Database, Open};
use crate::durability::{CommitLog, Durability, DurabilitySink};
use crate::error::Error;
use crate::statement::{Prepared, Step};
use crate::value::ValueRef;

/// The key of the alarm's time, in nanoseconds since the epoch.
pub const ALARM: i64 = 1;

/// The key of the name that the id of the root was made from.
pub const NAME: i64 = -1;

/// The statements of the table, and what is known of it.
pub(crate) struct Statements {
    // True when it is known to exist.
    exists: Cell<bool>,
    look: Prepared,
    create: Prepared,
    read: Prepared,
    write: Prepared,
}

impl Database {
    /// The number under `key`; `None` when it was never set, or set to nothing.
    ///
    /// # Errors
    /// As [`Database::exec`].
    pub fn metadata(&self, key: i64) -> Result<Option<i64>, Error> {
        self.read_metadata(key, |value| match value {
            ValueRef::Integer(number) => Some(number),
            _ => None,
        })
    }

    /// The text under `key`; `None` when it was never set.
    ///
    /// # Errors
    /// As [`Database::exec`].
    pub fn metadata_text(&self, key: i64) -> Result<Option<String>, Error> {
        self.read_metadata(key, |value| match value {
            ValueRef::Text(text) => Some(text.to_owned()),
            _ => None,
        })
    }

    /// Sets the number under `key`, or sets it to nothing. A write like any other: it is part of
    /// the implicit transaction.
    ///
    /// # Errors
    /// As [`Database::exec`].
    pub fn set_metadata(&self, key: i64, number: Option<i64>) -> Result<(), Error> {
        self.write_metadata(key, number.map_or(ValueRef::Null, ValueRef::Integer))
    }

    /// Sets the text under `key`, as [`set_metadata`](Self::set_metadata) does.
    ///
    /// # Errors
    /// As [`Database::exec`].
    pub fn set_metadata_text(&self, key: i64, text: &str) -> Result<(), Error> {
        self.write_metadata(key, ValueRef::Text(text))
    }

    fn read_metadata<T>(
        &self,
        key: i64,
        take: impl FnOnce(ValueRef<'_>) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let open = &self.open;
        open.check()?;
        if !open.metadata_exists()? {
            return Ok(None);
        }
        open.run_runtime(&open.metadata.read, &[ValueRef::Integer(key)], |statement, step| {
            if step != Step::Row {
                return None;
            }
            // SAFETY: `take` gives nothing that borrows, so the value ends before the reset.
            unsafe { statement.value(0) }.ok().and_then(take)
        })
    }

    fn write_metadata(&self, key: i64, value: ValueRef<'_>) -> Result<(), Error> {
        let open = &self.open;
        open.check()?;
        open.begin()?;
        if !open.metadata_exists()? {
            open.run_runtime(&open.metadata.create, &[], |_, _| ())?;
            open.metadata.exists.set(true);
        }
        open.run_runtime(&open.metadata.write, &[ValueRef::Integer(key), value], |_, _| ())
    }
}

impl Open {
    fn metadata_exists(&self) -> Result<bool, Error> {
        if !self.metadata.exists.get() {
            let found = self.run_runtime(&self.metadata.look, &[], |_, step| step == Step::Row)?;
            self.metadata.exists.set(found);
        }
        Ok(self.metadata.exists.get())
    }
}

impl Statements {
    pub(crate) fn new() -> Statements {
        Statements {
            exists: Cell::new(false),
            look: Prepared::new("SELECT 1 FROM sqlite_schema WHERE name = '_cf_METADATA'"),
            create: Prepared::new(
                "CREATE TABLE _cf_METADATA (key INTEGER PRIMARY KEY, value BLOB)",
            ),
            read: Prepared::new("SELECT value FROM _cf_METADATA WHERE key = ?"),
            write: Prepared::new(
                "INSERT INTO _cf_METADATA VALUES (?, ?) \
                 ON CONFLICT DO UPDATE SET value = excluded.value",
            ),
        }
    }

    /// Called by a rollback, which may have removed the table.
    pub(crate) fn forget_table(&self) {
        self.exists.set(false);
    }
}

/// The alarm in a database that nobody has open, in milliseconds, with the name of its root.
///
/// # Errors
/// [`Error::ConfigDatabase`] and its kin when it cannot be read.
pub fn stored_alarm(path: &Path) -> Result<Option<(u64, Option<String>)>, Error> {
    struct Nobody;
    impl DurabilitySink for Nobody {
        fn commit(&self, _log: &Arc<CommitLog>, _number: u64) {}
    }
    let durability = Durability {
        sink: Arc::new(Nobody),
        token: 0,
        counted: 0,
        on_durable: Arc::new(|_, _| ()),
    };
    let database = Database::open(path, &durability)?;
    let alarm = database.metadata(ALARM)?.and_then(|time_ns| u64::try_from(time_ns).ok());
    let name = if alarm.is_some() { database.metadata_text(NAME)? } else { None };
    database.abandon();
    Ok(alarm.map(|time_ns| (time_ns / 1_000_000, name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Fixture;

    #[test]
    fn numbers_follow_the_transaction() {
        let (fixture, database) = Fixture::new();
        assert_eq!(database.metadata(ALARM).unwrap(), None);
        database.set_metadata(ALARM, Some(i64::MAX)).unwrap();
        database.roll_back_all();
        assert_eq!(database.metadata(ALARM).unwrap(), None);
        database.set_metadata(ALARM, Some(5)).unwrap();
        database.commit().unwrap().unwrap();
        database.savepoint().unwrap();
        database.set_metadata(ALARM, None).unwrap();
        assert_eq!(database.metadata(ALARM).unwrap(), None);
        database.roll_back().unwrap();
        drop(database);
        assert_eq!(fixture.open().metadata(ALARM).unwrap(), Some(5));
    }

    #[test]
    fn an_alarm_is_found_in_a_closed_database() {
        let (fixture, database) = Fixture::new();
        database.set_metadata_text(NAME, "näme").unwrap();
        database.commit().unwrap().unwrap();
        let path = database.log().database().to_path_buf();
        database.abandon();
        assert_eq!(stored_alarm(&path).unwrap(), None);
        let database = fixture.open();
        database.set_metadata(ALARM, Some(5_000_000)).unwrap();
        database.commit().unwrap().unwrap();
        database.abandon();
        assert_eq!(stored_alarm(&path).unwrap(), Some((5, Some("näme".into()))));
    }

    #[test]
    fn user_sql_does_not_reach_them() {
        let (_fixture, database) = Fixture::new();
        database.set_metadata(ALARM, Some(5)).unwrap();
        let refused = database.exec("SELECT value FROM _cf_METADATA", &[]).map(|_| ());
        let expect = "access to _cf_METADATA.value is prohibited: SQLITE_AUTH";
        assert_eq!(refused.unwrap_err().message(), expect);
    }
}
