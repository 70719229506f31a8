//! Emptying a database: everything goes in one commit, or nothing.

use super::{Fixture, number, rows};
use crate::database_file::wal_of;
use crate::metadata::ALARM;
use crate::{Database, Error};

const TABLES: &str = "SELECT count(*) FROM sqlite_schema";

/// Tables that refer to each other, with an index, a trigger, a view and virtual tables.
fn fill(database: &Database) {
    let sql = "CREATE TABLE parent (id INTEGER PRIMARY KEY);
        CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent (id));
        CREATE INDEX children ON child (parent);
        CREATE VIEW both AS SELECT * FROM parent JOIN child ON parent = parent.id;
        CREATE TRIGGER keep BEFORE DELETE ON parent BEGIN SELECT RAISE(ABORT, 'never'); END;
        CREATE VIRTUAL TABLE words USING fts5(text);
        CREATE VIRTUAL TABLE boxes USING rtree(id, a, b);
        INSERT INTO parent VALUES (1);
        INSERT INTO child VALUES (2, 1);
        INSERT INTO words VALUES ('hello world');
        INSERT INTO boxes VALUES (1, 2, 3)";
    database.exec(sql, &[]).unwrap();
    database.kv_put("k", b"v").unwrap();
    database.set_metadata(ALARM, Some(7)).unwrap();
    database.commit().unwrap().unwrap();
}

#[test]
fn a_reset_removes_everything_in_one_commit() {
    let (fixture, database) = Fixture::new();
    fill(&database);
    database.kv_put("not committed", b"v").unwrap();
    fixture.sink.take();
    database.reset().unwrap();
    assert_eq!(fixture.sink.take().len(), 1, "one commit was handed in");
    assert!(!database.is_dirty());
    let check = |database: &Database| {
        assert_eq!(number(database, TABLES), 0);
        assert_eq!(database.kv_get("k").unwrap(), None);
        assert_eq!(database.metadata(ALARM).unwrap(), None);
        assert_eq!(rows(database, "PRAGMA quick_check").len(), 1);
    };
    check(&database);
    drop(database);
    let database = fixture.open();
    check(&database);
    fill(&database);
    assert_eq!(database.kv_get("k").unwrap().unwrap(), b"v");
}

#[test]
fn what_is_written_after_a_reset_stays() {
    let (fixture, database) = Fixture::new();
    fill(&database);
    database.reset().unwrap();
    database.kv_put("new", b"v").unwrap();
    database.exec("CREATE TABLE parent (other)", &[]).unwrap();
    database.commit().unwrap().unwrap();
    drop(database);
    let database = fixture.open();
    assert_eq!(database.kv_count().unwrap(), 1);
    assert_eq!(number(&database, TABLES), 2);
}

#[test]
fn a_crash_before_a_reset_is_on_disk_loses_nothing() {
    let (fixture, database) = Fixture::new();
    fill(&database);
    let wal = wal_of(&fixture.path);
    let before = std::fs::metadata(&wal).unwrap().len();
    database.reset().unwrap();
    let after = std::fs::metadata(&wal).unwrap().len();
    assert!(after > before, "the reset is in the WAL only");
    database.abandon();
    // Every length of the WAL that a crash may leave.
    let (whole, file) = (std::fs::read(&wal).unwrap(), std::fs::read(&fixture.path).unwrap());
    for kept in (before..after).step_by(509) {
        std::fs::write(&fixture.path, &file).unwrap();
        std::fs::write(&wal, &whole[..usize::try_from(kept).unwrap()]).unwrap();
        let database = fixture.open();
        assert_eq!(database.kv_get("k").unwrap().unwrap(), b"v", "{kept} bytes");
        assert_eq!(number(&database, "SELECT count(*) FROM both"), 1);
        database.abandon();
    }
    std::fs::write(&fixture.path, &file).unwrap();
    std::fs::write(&wal, &whole).unwrap();
    assert_eq!(number(&fixture.open(), TABLES), 0);
}

#[test]
fn a_reset_cancels_cursors() {
    let (_fixture, database) = Fixture::new();
    fill(&database);
    database.kv_put("l", b"v").unwrap();
    let mut cursor = database.exec("SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3", &[]).unwrap();
    let mut list = database.kv_list(&Default::default()).unwrap();
    assert!(list.next().unwrap().is_some());
    database.reset().unwrap();
    let canceled = |error: Error| assert!(matches!(error, Error::AppCanceled { .. }), "{error}");
    canceled(cursor.advance().unwrap_err());
    canceled(list.next().unwrap_err());
    assert_eq!(rows(&database, "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3").len(), 3);
}

#[test]
fn a_reset_is_refused_inside_a_savepoint() {
    let (_fixture, database) = Fixture::new();
    fill(&database);
    database.savepoint().unwrap();
    assert!(matches!(database.reset().unwrap_err(), Error::Bug { .. }));
    database.release().unwrap();
    assert_eq!(database.kv_get("k").unwrap().unwrap(), b"v");
}

#[test]
fn the_file_shrinks_at_the_next_checkpoint() {
    let (fixture, database) = Fixture::new();
    for key in 0..6 {
        database.kv_put(&format!("k{key}"), &[7; 1 << 20]).unwrap();
    }
    let checkpoint = || {
        database.commit().unwrap();
        fixture.sink.run();
        database.checkpoint_if_large().unwrap();
        fixture.sink.run();
    };
    checkpoint();
    let size = || std::fs::metadata(&fixture.path).unwrap().len();
    assert!(size() > 6 << 20);
    database.reset().unwrap();
    checkpoint();
    assert!(size() < 64 << 10, "{} bytes", size());
}

#[test]
fn several_values_are_put_together_or_not_at_all() {
    let (_fixture, database) = Fixture::new();
    let entry = |key: &str, bytes: usize| (key.to_owned(), vec![7; bytes]);
    database.kv_put_all(&[entry("a", 1), entry("b", 2)]).unwrap();
    let too_large = database.kv_put_all(&[entry("a", 9), entry("c", 5 << 20)]);
    assert!(matches!(too_large.unwrap_err(), Error::AppLimit { .. }));
    assert_eq!(database.kv_get("a").unwrap().unwrap().len(), 1);
    assert_eq!(database.kv_count().unwrap(), 2);
    assert_eq!(database.savepoints(), 0);
}
