//! The implicit transaction, savepoints, and what outlives a reopening.

use super::{Fixture, number, rows};
use crate::{Database, Error, Settings, Value, delete_database};

#[test]
fn reads_open_no_transaction_and_writes_do() {
    let (_fixture, database) = Fixture::new();
    database.exec("SELECT 1", &[]).unwrap();
    database.kv_get("k").unwrap();
    database.kv_delete("k").unwrap();
    database.database_size().unwrap();
    assert!(!database.is_dirty());
    assert_eq!(database.commit().unwrap(), None);
    database.kv_put("k", b"v").unwrap();
    assert!(database.is_dirty());
    assert_eq!(database.commit().unwrap(), Some(1));
    assert!(!database.is_dirty());
}

#[test]
fn commits_are_numbered_and_empty_ones_are_none() {
    let (fixture, database) = Fixture::new();
    database.exec("CREATE TABLE t (a UNIQUE)", &[]).unwrap();
    assert_eq!(database.commit().unwrap(), Some(1));
    database.exec("DELETE FROM t WHERE a = 1", &[]).unwrap();
    assert!(database.is_dirty());
    assert_eq!(database.commit().unwrap(), None);
    database.exec("INSERT INTO t VALUES (1)", &[]).unwrap();
    assert_eq!(database.commit().unwrap(), Some(2));
    assert_eq!(database.committed(), 2);
    let numbers: Vec<_> = fixture.sink.take().iter().map(|(_, number)| *number).collect();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn an_open_cursor_does_not_hold_a_commit_up() {
    let (_fixture, database) = Fixture::new();
    database.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)", &[]).unwrap();
    let mut cursor = database.exec("SELECT a FROM t", &[]).unwrap();
    database.exec("INSERT INTO t VALUES (3)", &[]).unwrap();
    database.commit().unwrap().unwrap();
    assert!(cursor.advance().unwrap());
}

#[test]
fn rolling_back_removes_lazily_made_tables() {
    let (_fixture, database) = Fixture::new();
    database.kv_put("k", b"v").unwrap();
    database.roll_back_all();
    assert_eq!(database.kv_get("k").unwrap(), None);
    database.savepoint().unwrap();
    database.kv_put("k", b"w").unwrap();
    database.roll_back().unwrap();
    assert_eq!(database.kv_get("k").unwrap(), None);
    database.kv_put("k", b"x").unwrap();
    assert_eq!(database.kv_get("k").unwrap().unwrap(), b"x");
}

#[test]
fn savepoints_nest() {
    let (_fixture, database) = Fixture::new();
    database.exec("CREATE TABLE t (a)", &[]).unwrap();
    database.savepoint().unwrap();
    database.exec("INSERT INTO t VALUES (1)", &[]).unwrap();
    database.savepoint().unwrap();
    database.exec("INSERT INTO t VALUES (2)", &[]).unwrap();
    let inside = database.commit().unwrap_err();
    assert_eq!(inside, Error::Bug { place: "storage: commit inside a savepoint" });
    database.roll_back().unwrap();
    database.release().unwrap();
    assert_eq!(
        database.release().unwrap_err(),
        Error::Bug { place: "storage: no savepoint is open" }
    );
    assert_eq!(rows(&database, "SELECT a FROM t"), [[Value::Integer(1)]]);
    database.commit().unwrap().unwrap();
}

#[test]
fn nesting_ends_at_a_limit() {
    let (_fixture, database) = Fixture::new();
    for _ in 0..crate::transaction::SAVEPOINT_DEPTH_MAX {
        database.savepoint().unwrap();
    }
    assert!(matches!(database.savepoint().unwrap_err(), Error::AppLimit { .. }));
    database.roll_back_all();
    database.savepoint().unwrap();
}

#[test]
fn closing_rolls_back_and_leaves_one_file() {
    let (fixture, database) = Fixture::new();
    database.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)", &[]).unwrap();
    database.commit().unwrap();
    database.exec("INSERT INTO t VALUES (2)", &[]).unwrap();
    database.close().unwrap();
    let files = std::fs::read_dir(fixture.path.parent().unwrap()).unwrap().count();
    assert_eq!(files, 1);
    assert_eq!(number(&fixture.open(), "SELECT count(*) FROM t"), 1);
}

#[test]
fn closing_with_an_open_cursor_keeps_the_commits() {
    let (fixture, database) = Fixture::new();
    database.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)", &[]).unwrap();
    database.commit().unwrap();
    let cursor = database.exec("SELECT a FROM t", &[]).unwrap();
    database.close().unwrap();
    let again = fixture.open();
    assert_eq!(number(&again, "SELECT count(*) FROM t"), 2);
    again.exec("INSERT INTO t VALUES (3)", &[]).unwrap();
    again.commit().unwrap();
    // The late end of the old handle leaves the files of the new one alone.
    drop(cursor);
    drop(again);
    assert_eq!(number(&fixture.open(), "SELECT count(*) FROM t"), 3);
}

#[test]
fn a_deleted_database_starts_empty_even_beside_an_old_cursor() {
    let (fixture, database) = Fixture::new();
    database.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)", &[]).unwrap();
    database.commit().unwrap();
    let cursor = database.exec("SELECT a FROM t", &[]).unwrap();
    database.close().unwrap();
    delete_database(&fixture.path).unwrap();
    let again = fixture.open();
    assert_eq!(number(&again, "SELECT count(*) FROM sqlite_schema"), 0);
    again.kv_put("k", b"v").unwrap();
    again.commit().unwrap();
    drop(cursor);
    drop(again);
    assert_eq!(fixture.open().kv_get("k").unwrap().unwrap(), b"v");
}

#[test]
fn a_large_wal_is_copied_and_begins_anew() {
    let (fixture, database) = Fixture::new();
    let fill = || {
        for key in 0..6 {
            database.kv_put(&format!("k{key}"), &[7; 1 << 20]).unwrap();
        }
        database.commit().unwrap();
    };
    let size = |path: &std::path::Path| std::fs::metadata(path).unwrap().len();
    fill();
    let wal = crate::database_file::wal_of(&fixture.path);
    let (wal_bytes, database_bytes) = (size(&wal), size(&fixture.path));
    assert!(database.holds_commits(), "first the commits must be durable");
    database.checkpoint_if_large().unwrap();
    assert_eq!(size(&fixture.path), database_bytes);
    fixture.sink.run();
    assert!(!database.holds_commits());
    database.checkpoint_if_large().unwrap();
    assert!(size(&fixture.path) > database_bytes + (6 << 20));
    assert!(database.holds_commits(), "then the pages");
    fixture.sink.run();
    assert!(!database.holds_commits() && database.is_copied());
    for _ in 0..3 {
        fill();
        fixture.sink.run();
        database.checkpoint_if_large().unwrap();
        // The next commit waits for the pages by itself.
    }
    assert!(size(&wal) < wal_bytes * 3 / 2, "the WAL is written over, not extended");
    drop(database);
    assert_eq!(fixture.open().kv_count().unwrap(), 6);
}

#[test]
fn a_large_transaction_leaves_the_log_alone_until_its_pages_are_durable() {
    let (fixture, database) = Fixture::new();
    database.exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b)", &[]).unwrap();
    database.exec("INSERT INTO t (b) VALUES (1)", &[]).unwrap();
    database.commit().unwrap();
    fixture.sink.run();
    database.checkpoint().unwrap();
    let wal = std::fs::read(crate::database_file::wal_of(&fixture.path)).unwrap();
    // Far more than SQLite's cache holds.
    for _ in 0..8 {
        database.exec("INSERT INTO t (b) VALUES (zeroblob(1000000))", &[]).unwrap();
    }
    let after = std::fs::read(crate::database_file::wal_of(&fixture.path)).unwrap();
    assert!(wal == after, "pages were written over the log");
    database.commit().unwrap();
    assert_eq!(number(&database, "SELECT count(*) FROM t"), 9);
}

#[test]
fn a_log_that_cursors_keep_is_limited() {
    let (fixture, database) = Fixture::new();
    database.close().unwrap();
    let settings = Settings { wal_bytes_max: 200_000, ..Settings::default() };
    let durability = fixture.durability();
    let database = Database::open_with(&fixture.path, &durability, &settings).unwrap();
    database.exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b)", &[]).unwrap();
    database.exec("INSERT INTO t (b) VALUES (1), (2)", &[]).unwrap();
    database.commit().unwrap();
    fixture.sink.run();
    let cursor = database.exec("SELECT a FROM t", &[]).unwrap();
    let refused = loop {
        database.checkpoint().unwrap();
        let insert = "INSERT INTO t (b) VALUES (zeroblob(30000))";
        if let Err(error) = database.exec(insert, &[]).map(|_| ()) {
            break error;
        }
        database.commit().unwrap();
        fixture.sink.run();
    };
    assert!(matches!(&refused, Error::AppLimit { message } if message.contains("cursor")));
    drop(cursor);
    database.checkpoint().unwrap();
    database.exec("INSERT INTO t (b) VALUES (3)", &[]).unwrap();
}

#[test]
fn closing_an_idle_database_needs_no_sync_of_its_own() {
    let (fixture, database) = Fixture::new();
    database.kv_put("k", b"v").unwrap();
    database.commit().unwrap();
    assert!(!database.is_copied());
    fixture.sink.run();
    database.checkpoint().unwrap();
    fixture.sink.run();
    assert!(database.is_copied());
    database.close().unwrap();
    assert_eq!(fixture.open().kv_get("k").unwrap().unwrap(), b"v");
}

#[test]
fn what_a_dead_process_left_in_the_log_is_synced_before_it_counts() {
    let (fixture, database) = Fixture::new();
    database.kv_put("k", b"v").unwrap();
    database.commit().unwrap();
    drop(database);
    fixture.sink.take();
    let database = fixture.open();
    assert_eq!((database.committed(), database.durable()), (1, 0));
    fixture.sink.run();
    assert_eq!(database.durable(), 1);
}

#[test]
fn an_open_cursor_postpones_a_checkpoint() {
    let (_fixture, database) = Fixture::new();
    for key in 0..6 {
        database.kv_put(&format!("k{key}"), &[7; 1 << 20]).unwrap();
    }
    database.commit().unwrap();
    let mut list = database.kv_list(&Default::default()).unwrap();
    list.next().unwrap().unwrap();
    database.checkpoint_if_large().unwrap();
    assert!(list.next().unwrap().is_some());
}
