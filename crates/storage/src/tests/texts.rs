//! The exact texts user code sees (`spec/storage.md` 1.6), and what an operator sees.

use std::fs;

use super::{Fixture, Folder, number};
use crate::{Database, Error, Settings, ValueRef};

const TRANSACTION: &str = "To execute a transaction, please use the state.storage.transaction() \
     or state.storage.transactionSync() APIs instead of the SQL BEGIN TRANSACTION or SAVEPOINT \
     statements. The JavaScript API is safer because it will automatically roll back on \
     exceptions, and because it interacts correctly with Durable Objects' automatic atomic write \
     coalescing.";
const NO_STATEMENT: &str = "SQL code did not contain a statement.";

fn check(database: &Database, sql: &str, expect: &str) {
    let error = database.exec(sql, &[]).map(|_| ()).unwrap_err();
    assert_eq!(error.message(), expect, "{sql}");
    assert!(!error.breaks_actor());
}

#[test]
fn refusals_read_as_on_the_platform() {
    let (_fixture, database) = Fixture::new();
    database.kv_put("k", b"v").unwrap();
    database.exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b UNIQUE)", &[]).unwrap();
    let denied = "not authorized: SQLITE_AUTH";
    for (sql, expect) in [
        ("", NO_STATEMENT),
        (";", NO_STATEMENT),
        ("SELECT 1; -- done", NO_STATEMENT),
        ("BEGIN", TRANSACTION),
        ("COMMIT", TRANSACTION),
        ("ROLLBACK", TRANSACTION),
        ("SAVEPOINT x", TRANSACTION),
        ("RELEASE x", TRANSACTION),
        ("SELECT * FROM _cf_KV", "access to _cf_KV.key is prohibited: SQLITE_AUTH"),
        ("DELETE FROM _CF_kv", denied),
        ("DROP TABLE _cf_KV", denied),
        ("CREATE TABLE _cf_x (a)", denied),
        ("ALTER TABLE t RENAME TO _cf_x", denied),
        ("ALTER TABLE _cf_KV RENAME TO x", denied),
        ("ALTER TABLE t RENAME TO _cf", denied),
        ("CREATE INDEX _cf_i ON t (a)", denied),
        ("CREATE TEMP TABLE x (a)", denied),
        ("ATTACH ':memory:' AS x", denied),
        ("VACUUM", "cannot VACUUM from within a transaction: SQLITE_ERROR"),
        ("VACUUM INTO 'x'", "cannot VACUUM from within a transaction: SQLITE_ERROR"),
        ("PRAGMA journal_mode = DELETE", denied),
        ("PRAGMA writable_schema = 1", denied),
        (
            "UPDATE sqlite_schema SET sql = ''",
            "table sqlite_master may not be modified: SQLITE_ERROR",
        ),
        (
            "SELECT sqlite_version()",
            "not authorized to use function: sqlite_version at offset 7: SQLITE_ERROR",
        ),
        (
            "SELECT ?; SELECT 1",
            "When executing multiple SQL statements in a single call, only the last statement can \
             have parameters.",
        ),
        ("SELECT ?", "Wrong number of parameter bindings for SQL query."),
        ("SELECT 1; bunk", "near \"bunk\": syntax error at offset 0: SQLITE_ERROR"),
        ("SELECT * FROM missing", "no such table: missing: SQLITE_ERROR"),
        ("INSERT INTO t VALUES ('x', 1)", "datatype mismatch: SQLITE_MISMATCH"),
        (
            "INSERT INTO t VALUES (1, 1), (2, 1)",
            "UNIQUE constraint failed: t.b: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)",
        ),
    ] {
        check(&database, sql, expect);
    }
    assert_eq!(database.kv_get("k").unwrap().unwrap(), b"v");
}

#[test]
fn limits_read_as_on_the_platform() {
    let (_fixture, database) = Fixture::new();
    let long = "x".repeat((4 << 20) + 1);
    let error = database.exec("SELECT ?", &[ValueRef::Text(&long)]).map(|_| ()).unwrap_err();
    assert_eq!(error, Error::AppLimit { message: "string or blob too big: SQLITE_TOOBIG".into() });
    let error = database.kv_put("k", long.as_bytes()).unwrap_err();
    assert_eq!(error.message(), "string or blob too big: SQLITE_TOOBIG");
    check(
        &database,
        &format!("SELECT '{}'", "x".repeat(100_000)),
        "statement too long: SQLITE_TOOBIG",
    );
    check(
        &database,
        &format!("SELECT {}", ["1"; 101].join(",")),
        "too many columns in result set: SQLITE_ERROR",
    );
    check(
        &database,
        "SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6",
        "too many terms in compound SELECT: SQLITE_ERROR",
    );
    check(
        &database,
        &format!("SELECT 1 WHERE 'a' LIKE '{}'", "x".repeat(51)),
        "LIKE or GLOB pattern too complex: SQLITE_ERROR",
    );
}

#[test]
fn a_full_database_gives_up_its_transaction_and_breaks() {
    let (fixture, database) = Fixture::new();
    database.close().unwrap();
    let settings = Settings { database_bytes_max: 40_000, ..Settings::default() };
    let durability = fixture.durability();
    let database = Database::open_with(&fixture.path, &durability, &settings).unwrap();
    database.exec("CREATE TABLE t (a)", &[]).unwrap();
    database.commit().unwrap();
    let broken = loop {
        let inserted = database.exec("INSERT INTO t VALUES (zeroblob(3000))", &[]);
        if let Err(error) = inserted {
            break error;
        }
    };
    let expect = "database or disk is full: SQLITE_FULL";
    assert_eq!(broken, Error::BrokenFull { message: expect.into() });
    assert_eq!(database.commit().unwrap_err(), broken);
    drop(database);
    assert_eq!(number(&fixture.open(), "SELECT count(*) FROM t"), 0);
}

#[test]
fn an_open_cursor_of_a_closed_database_is_canceled() {
    let (_fixture, database) = Fixture::new();
    let mut cursor = database.exec("SELECT 1 UNION ALL SELECT 2", &[]).unwrap();
    let mut list = database.kv_list(&Default::default()).unwrap();
    let other = database.clone();
    database.close().unwrap();
    assert_eq!(cursor.value(0), ValueRef::Integer(1));
    let canceled = "SQLite query was canceled because the database was deleted.";
    assert_eq!(cursor.advance().unwrap_err().message(), canceled);
    assert!(!cursor.has_row());
    assert_eq!(list.next().unwrap_err().message(), canceled);
    assert_eq!(other.kv_get("k").unwrap_err().message(), canceled);
    assert_eq!(other.close().unwrap_err().message(), canceled);
}

#[test]
fn a_violated_constraint_at_commit_resets_the_object() {
    let (_fixture, database) = Fixture::new();
    let sql = "CREATE TABLE p (a PRIMARY KEY); \
               CREATE TABLE c (a REFERENCES p DEFERRABLE INITIALLY DEFERRED); \
               INSERT INTO c VALUES (1)";
    database.exec(sql, &[]).unwrap();
    let expect = "Durable Object was reset and rolled back to its last known good state because \
                  the application left the database in a state where constraints were violated: \
                  FOREIGN KEY constraint failed: SQLITE_CONSTRAINT \
                  (extended: SQLITE_CONSTRAINT_FOREIGNKEY)";
    let error = database.commit().unwrap_err();
    assert_eq!(error, Error::BrokenStorage { message: expect.into() });
    assert_eq!(database.exec("SELECT 1", &[]).map(|_| ()).unwrap_err(), error);
}

#[test]
fn files_that_are_no_databases_are_explained_and_their_path_kept_from_user_code() {
    let (fixture, database) = Fixture::new();
    drop(database);
    let refused = |content: &[u8]| {
        let path = fixture.folder.path().join("y.sqlite");
        fs::write(&path, content).unwrap();
        let error = Database::open(&path, &fixture.durability()).map(|_| ()).unwrap_err();
        assert_eq!(error.message(), "Durable Object storage is no longer accessible.");
        error.to_string()
    };
    assert!(refused(b"no database").contains("y.sqlite: it is not a SQLite database"));
    let mut damaged = fs::read(&fixture.path).unwrap();
    damaged[100..].fill(0xee);
    let text = refused(&damaged);
    assert!(text.contains("it is damaged") && text.contains("restore it from a backup"), "{text}");
}

#[test]
fn a_place_that_cannot_hold_a_database_is_explained() {
    let (fixture, _database) = Fixture::new();
    let below_file = fixture.path.join("below/y.sqlite");
    let error = Database::open(&below_file, &fixture.durability()).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("a part of the path is a file"), "{error}");
    let folder = Folder::new();
    let error = Database::open(folder.path(), &fixture.durability()).map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::ConfigDatabase { .. }), "{error}");
}

#[test]
fn a_damaged_file_from_elsewhere_is_found_when_it_is_opened() {
    let folder = Folder::new();
    let path = folder.path().join("x.sqlite");
    let (fixture, _) = Fixture::new();
    let made = rusqlite::Connection::open(&path).unwrap();
    made.execute_batch(
        "PRAGMA journal_mode = WAL; CREATE TABLE t (a, b); \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99) \
         INSERT INTO t SELECT i, zeroblob(1000) FROM n",
    )
    .unwrap();
    made.close().unwrap();
    let whole = fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    damaged[12 * 4096..13 * 4096].fill(0xee);
    fs::write(&path, damaged).unwrap();
    let open = || Database::open(&path, &fixture.durability());
    let refused = open().map(|_| ()).unwrap_err();
    assert!(refused.to_string().contains("it is damaged"), "{refused}");
    assert_eq!(refused.message(), "Durable Object storage is no longer accessible.");
    fs::write(&path, whole).unwrap();
    assert_eq!(number(&open().unwrap(), "SELECT count(*) FROM t"), 99);
}

#[test]
fn symbolic_links_are_not_followed() {
    let (fixture, database) = Fixture::new();
    database.close().unwrap();
    let elsewhere = fixture.folder.path().join("elsewhere.sqlite");
    fs::rename(&fixture.path, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &fixture.path).unwrap();
    let refused = Database::open(&fixture.path, &fixture.durability()).map(|_| ()).unwrap_err();
    assert!(refused.to_string().contains("x.sqlite"), "{refused}");
    fs::remove_file(&fixture.path).unwrap();
    fs::rename(&elsewhere, &fixture.path).unwrap();
    let wal = crate::database_file::wal_of(&fixture.path);
    fs::write(fixture.folder.path().join("victim"), "").unwrap();
    std::os::unix::fs::symlink(fixture.folder.path().join("victim"), &wal).unwrap();
    let database = Database::open(&fixture.path, &fixture.durability());
    let written = database.and_then(|database| {
        database.exec("CREATE TABLE t (a)", &[])?;
        database.commit()
    });
    assert!(written.is_err());
    assert_eq!(fs::read(fixture.folder.path().join("victim")).unwrap(), b"");
}

#[test]
fn flipped_bits_end_in_an_error_or_a_value_and_never_in_a_crash() {
    let (fixture, database) = Fixture::new();
    database.exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b)", &[]).unwrap();
    for _ in 0..40 {
        database.exec("INSERT INTO t (b) VALUES (zeroblob(500))", &[]).unwrap();
    }
    database.commit().unwrap();
    database.close().unwrap();
    let whole = fs::read(&fixture.path).unwrap();
    let mut refused = 0;
    for place in (0..whole.len()).step_by(97) {
        let mut damaged = whole.clone();
        damaged[place] ^= 1 << (place % 8);
        fs::write(&fixture.path, damaged).unwrap();
        let opened = Database::open(&fixture.path, &fixture.durability());
        let read = opened.and_then(|database| {
            let mut cursor = database.exec("SELECT a, b FROM t", &[])?;
            while cursor.has_row() {
                let _ = (cursor.value(0), cursor.value(1));
                cursor.advance()?;
            }
            Ok(())
        });
        refused += u32::from(read.is_err());
    }
    assert!(refused > 0, "no damage was noticed");
}
