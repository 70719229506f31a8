//! What `exec` and its cursor do (ST-14..ST-25).

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Fixture, number, rows};
use crate::statement::Statement;
use crate::{Error, Value, ValueRef};

#[test]
fn values_keep_their_type_and_bytes() {
    let (_fixture, database) = Fixture::new();
    let values = [
        ValueRef::Null,
        ValueRef::Integer(i64::MIN),
        ValueRef::Real(0.5),
        ValueRef::Text("zwölf\0"),
        ValueRef::Text(""),
        ValueRef::Blob(b"\xff\0"),
        ValueRef::Blob(b""),
    ];
    let cursor = database.exec("SELECT ?, ?, ?, ?, ?, ?, ?", &values).unwrap();
    let read: Vec<_> = (0..values.len()).map(|column| cursor.value(column)).collect();
    assert_eq!(read, values);
    assert_eq!(cursor.value(values.len()), ValueRef::Null);
}

#[test]
fn text_that_is_not_utf8_reads_with_replacements() {
    let (_fixture, database) = Fixture::new();
    let sql = "SELECT CAST(x'41ff' AS TEXT) UNION ALL SELECT CAST(x'fe42' AS TEXT)";
    let mut cursor = database.exec(sql, &[]).unwrap();
    let (first, again) = (cursor.value(0), cursor.value(0));
    assert_eq!((first, again), (ValueRef::Text("A\u{fffd}"), ValueRef::Text("A\u{fffd}")));
    assert!(cursor.advance().unwrap());
    assert_eq!(cursor.value(0), ValueRef::Text("\u{fffd}B"));
}

#[test]
fn earlier_statements_run_to_their_end_and_the_last_gives_rows() {
    let (_fixture, database) = Fixture::new();
    let sql = "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2); SELECT a FROM t WHERE a > ?; \n";
    let mut cursor = database.exec(sql, &[ValueRef::Integer(0)]).unwrap();
    assert_eq!(&*cursor.column_names()[0], "a");
    assert_eq!(cursor.value(0), ValueRef::Integer(1));
    assert!(cursor.advance().unwrap());
    assert!(!cursor.advance().unwrap());
    assert!(!cursor.advance().unwrap() && !cursor.has_row());
    // The cached text runs its earlier statements again.
    database.exec("INSERT INTO t VALUES (3); SELECT 1", &[]).unwrap();
    database.exec("INSERT INTO t VALUES (3); SELECT 1", &[]).unwrap();
    assert_eq!(number(&database, "SELECT count(*) FROM t"), 4);
}

#[test]
fn a_write_takes_effect_before_its_cursor_is_read() {
    let (_fixture, database) = Fixture::new();
    database.exec("CREATE TABLE t (a INTEGER PRIMARY KEY)", &[]).unwrap();
    let mut cursor = database.exec("INSERT INTO t VALUES (1), (2) RETURNING a", &[]).unwrap();
    assert_eq!(cursor.rows_written(), 2);
    assert_eq!(cursor.value(0), ValueRef::Integer(1));
    // The open cursor neither holds the commit up nor loses its rows to it.
    database.commit().unwrap().unwrap();
    database.exec("DELETE FROM t", &[]).unwrap();
    assert!(cursor.advance().unwrap());
    assert_eq!(cursor.value(0), ValueRef::Integer(2));
    assert!(!cursor.advance().unwrap());
}

#[test]
fn a_text_in_use_is_compiled_again_and_both_cursors_work() {
    let (_fixture, database) = Fixture::new();
    let sql = "SELECT ? UNION ALL SELECT 2";
    let mut first = database.exec(sql, &[ValueRef::Integer(10)]).unwrap();
    let mut second = database.exec(sql, &[ValueRef::Integer(20)]).unwrap();
    assert_eq!((first.value(0), second.value(0)), (ValueRef::Integer(10), ValueRef::Integer(20)));
    assert!(first.advance().unwrap() && second.advance().unwrap());
    drop(first);
    assert_eq!(second.value(0), ValueRef::Integer(2));
}

#[test]
fn column_names_are_shared_until_they_change() {
    let (_fixture, database) = Fixture::new();
    database.exec("CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 2)", &[]).unwrap();
    let names = || database.exec("SELECT *, a FROM t", &[]).unwrap().column_names().clone();
    let first = names();
    assert_eq!(*first, ["a", "b", "a"].map(Rc::from));
    assert!(Rc::ptr_eq(&first, &names()));
    database.exec("ALTER TABLE t ADD COLUMN c", &[]).unwrap();
    assert_eq!(*names(), ["a", "b", "c", "a"].map(Rc::from));
    assert!(database.exec("INSERT INTO t (a) VALUES (1)", &[]).unwrap().column_names().is_empty());
}

#[test]
fn full_scans_count_their_rows() {
    let (_fixture, database) = Fixture::new();
    database.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3)", &[]).unwrap();
    let mut cursor = database.exec("SELECT * FROM t", &[]).unwrap();
    assert_eq!(cursor.rows_read(), 1);
    while cursor.advance().unwrap() {}
    assert_eq!((cursor.rows_read(), cursor.rows_written()), (3, 0));
    let filtered = database.exec("SELECT * FROM t WHERE a = 9", &[]).unwrap();
    assert_eq!(filtered.rows_read(), 3);
    let updated = database.exec("UPDATE t SET a = a + 1", &[]).unwrap();
    assert_eq!((updated.rows_read(), updated.rows_written()), (3, 3));
}

#[test]
fn the_size_counts_pages_in_use() {
    let (_fixture, database) = Fixture::new();
    assert_eq!(database.database_size().unwrap(), 4096);
    database.exec("CREATE TABLE t (a)", &[]).unwrap();
    assert_eq!(database.database_size().unwrap(), 8192);
    database.exec("DROP TABLE t", &[]).unwrap();
    assert_eq!(database.database_size().unwrap(), 4096);
}

#[test]
fn full_text_search_and_every_form_of_alter_work() {
    let (_fixture, database) = Fixture::new();
    for sql in [
        "CREATE VIRTUAL TABLE notes USING fts5(body)",
        "INSERT INTO notes VALUES ('hello world'), ('goodbye')",
        "CREATE VIRTUAL TABLE boxes USING rtree(id, low, high)",
        "INSERT INTO boxes VALUES (1, 0, 2)",
        "CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT, b TEXT) STRICT",
        "CREATE INDEX t_b ON t (b)",
        "ALTER TABLE t RENAME COLUMN b TO c",
        "ALTER TABLE t ADD COLUMN d",
        "ALTER TABLE t RENAME TO u",
        "CREATE VIEW v AS SELECT a FROM u",
        "CREATE TRIGGER r AFTER INSERT ON u BEGIN UPDATE u SET c = 'x' WHERE a = new.a; END",
        "INSERT INTO u (c) VALUES (\"double quoted\")",
        "ANALYZE",
        "PRAGMA optimize",
        "REINDEX",
        "DROP VIEW v",
        "EXPLAIN QUERY PLAN SELECT * FROM u",
    ] {
        // `ADD COLUMN d` has no type, which STRICT refuses; all else works.
        let outcome = database.exec(sql, &[]).map(|_| ()).map_err(|error| error.message());
        assert_eq!(outcome.is_err(), sql.contains("ADD COLUMN d"), "{sql}: {outcome:?}");
    }
    let found = rows(&database, "SELECT highlight(notes, 0, '<', '>') FROM notes('hello')");
    assert_eq!(found, [[Value::Text("<hello> world".into())]]);
    assert_eq!(number(&database, "SELECT count(*) FROM boxes WHERE low < 1"), 1);
    assert_eq!(rows(&database, "SELECT c FROM u"), [[Value::Text("x".into())]]);
}

#[test]
fn triggers_keep_an_external_content_index() {
    let (_fixture, database) = Fixture::new();
    let sql = "CREATE TABLE notes (id INTEGER PRIMARY KEY, body);
        CREATE VIRTUAL TABLE found USING fts5(body, content='notes', content_rowid='id');
        CREATE TRIGGER added AFTER INSERT ON notes BEGIN
            INSERT INTO found(rowid, body) VALUES (new.id, new.body); END;
        CREATE TRIGGER removed AFTER DELETE ON notes BEGIN
            INSERT INTO found(found, rowid, body) VALUES ('delete', old.id, old.body); END;
        INSERT INTO notes (body) VALUES ('one'), ('two');
        DELETE FROM notes WHERE body = 'two'";
    database.exec(sql, &[]).unwrap();
    assert_eq!(number(&database, "SELECT count(*) FROM found('one OR two')"), 1);
}

#[test]
fn sqlite_is_built_for_untrusted_sql() {
    let (_fixture, database) = Fixture::new();
    let connection = &database.open.connection;
    let used = |option: &str| {
        let sql = format!("SELECT sqlite_compileoption_used('{option}')");
        connection.as_runtime(|| {
            let statement = Statement::compile(connection, &sql).unwrap().0.unwrap();
            statement.step().unwrap();
            // SAFETY: the value is compared before the statement goes away.
            unsafe { statement.value(0) }.ok() == Some(ValueRef::Integer(1))
        })
    };
    for option in [
        "DEFAULT_FOREIGN_KEYS",
        "DEFAULT_LOOKASIDE=512,16",
        "ENABLE_FTS5",
        "ENABLE_MATH_FUNCTIONS",
        "ENABLE_RTREE",
        "MAX_MMAP_SIZE=0",
        "OMIT_LOAD_EXTENSION",
        "OMIT_SHARED_CACHE",
        "TEMP_STORE=3",
    ] {
        assert!(used(option), "{option} is missing, see .cargo/config.toml");
    }
    let cosine = database.exec("SELECT cos(0)", &[]).unwrap();
    assert_eq!(cosine.value(0), ValueRef::Real(1.0));
    for option in ["ENABLE_FTS3", "ENABLE_STAT4", "ENABLE_DBSTAT_VTAB", "USE_URI"] {
        assert!(!used(option), "{option} is set, see .cargo/config.toml");
    }
}

#[test]
fn optimize_belongs_to_the_transaction() {
    let (fixture, database) = Fixture::new();
    let fill = "CREATE TABLE t (a); CREATE INDEX i ON t (a); INSERT INTO t SELECT value FROM \
                json_each('[1,2,3]'); SELECT 1";
    database.exec(fill, &[]).unwrap();
    database.commit().unwrap();
    fixture.sink.take();
    database.exec("PRAGMA optimize(-1)", &[]).unwrap();
    assert!(database.is_dirty());
    database.commit().unwrap();
}

#[test]
fn a_watchdog_stops_endless_sql_and_the_database_goes_on() {
    let (_fixture, database) = Fixture::new();
    let flag = Arc::new(AtomicBool::new(true));
    database.set_interrupt(Some(flag.clone()));
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                   SELECT count(*) FROM n";
    let stopped = database.exec(endless, &[]).map(|_| ()).unwrap_err();
    assert_eq!(stopped, Error::AppInterrupted { message: "interrupted: SQLITE_INTERRUPT".into() });
    flag.store(false, Ordering::Relaxed);
    assert_eq!(number(&database, "SELECT 1"), 1);
}

#[test]
fn an_interrupted_write_breaks_the_database() {
    let (fixture, database) = Fixture::new();
    database.exec("CREATE TABLE t (a)", &[]).unwrap();
    database.commit().unwrap();
    database.exec("INSERT INTO t VALUES (1)", &[]).unwrap();
    database.set_interrupt(Some(Arc::new(AtomicBool::new(true))));
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                   INSERT INTO t SELECT i FROM n";
    let broken = database.exec(endless, &[]).map(|_| ()).unwrap_err();
    assert_eq!(broken, Error::BrokenStorage { message: "interrupted: SQLITE_INTERRUPT".into() });
    assert!(broken.breaks_actor());
    assert_eq!(database.exec("SELECT 1", &[]).map(|_| ()).unwrap_err(), broken);
    assert_eq!(database.commit().unwrap_err(), broken);
    assert_eq!(database.kv_get("k").unwrap_err(), broken);
    database.roll_back_all();
    drop(database);
    assert_eq!(number(&fixture.open(), "SELECT count(*) FROM t"), 0);
}

#[test]
fn updates_and_deletions_may_be_limited() {
    let (_fixture, database) = Fixture::new();
    let fill = "CREATE TABLE t (a INTEGER PRIMARY KEY, b); \
                INSERT INTO t VALUES (1, 'x'), (2, 'x'), (3, 'x'), (4, 'x')";
    database.exec(fill, &[]).unwrap();
    let limit = [ValueRef::Text("y"), ValueRef::Integer(2)];
    database.exec("UPDATE t SET b = ? WHERE a > 1 ORDER BY a DESC LIMIT ?", &limit).unwrap();
    let expect = [[1, 0], [2, 0], [3, 1], [4, 1]].map(|row| row.map(Value::Integer).to_vec());
    assert_eq!(rows(&database, "SELECT a, b = 'y' FROM t"), expect);
    let sql = "DELETE FROM t ORDER BY a LIMIT 1 OFFSET 1; SELECT count(*) FROM t";
    assert_eq!(number(&database, sql), 3);
    assert_eq!(number(&database, sql), 2, "also from the cache");
    let returned = rows(&database, "DELETE FROM t RETURNING a LIMIT 1");
    assert_eq!(returned, [[Value::Integer(1)]]);
}

#[test]
fn limits_find_rows_of_tables_without_rowid_and_with_columns_of_that_name() {
    let (_fixture, database) = Fixture::new();
    let fill = "CREATE TABLE w (a, \"b\"\"c\", PRIMARY KEY (a, \"b\"\"c\")) WITHOUT ROWID; \
                INSERT INTO w VALUES (1, 1), (1, 2), (2, 1); \
                CREATE TABLE r (rowid); INSERT INTO r VALUES (7), (7), (7)";
    database.exec(fill, &[]).unwrap();
    assert_eq!(number(&database, "DELETE FROM w LIMIT 2; SELECT count(*) FROM w"), 1);
    assert_eq!(number(&database, "DELETE FROM r LIMIT 2; SELECT count(*) FROM r"), 1);
}

#[test]
fn a_limit_where_it_cannot_be_says_so() {
    let (_fixture, database) = Fixture::new();
    database.exec("CREATE TABLE t (a)", &[]).unwrap();
    let check = |sql: &str, expect: &str| {
        let refused = database.exec(sql, &[]).map(|_| ()).unwrap_err().message();
        assert!(refused.starts_with(expect), "{sql}: {refused}");
    };
    check("DELETE FROM t ORDER BY a", "ORDER BY without LIMIT on DELETE: SQLITE_ERROR");
    check("UPDATE t SET a = 1 FROM t AS u LIMIT 1", "UPDATE ... FROM cannot be combined");
    check("DELETE FROM absent LIMIT 1", "no such table: absent");
    check("DELETE FROM _cf_KV LIMIT 1", "no such table: _cf_KV");
    check("INSERT INTO t VALUES (1) LIMIT 1", "near \"LIMIT\": syntax error");
    database.kv_put("k", b"v").unwrap();
    check("DELETE FROM _cf_KV LIMIT 1", "not authorized");
}
