//! Table tests of the allow lists; how refusals read is tested with the database.

use super::*;

fn check(expect: Decision, action: c_int, first: &str, second: &str) {
    let detail = |text: &'static str| (!text.is_empty()).then_some(text.as_bytes());
    let (first, second) = (first.to_owned().leak(), second.to_owned().leak());
    let request =
        Request { action, first: detail(first), second: detail(second), database: Some(b"main") };
    assert_eq!(decide(&request), expect, "{request:?} {first} {second}");
}

#[test]
fn names_with_the_reserved_prefix_are_out_of_reach() {
    for action in [
        ffi::SQLITE_CREATE_TABLE,
        ffi::SQLITE_DELETE,
        ffi::SQLITE_DROP_TABLE,
        ffi::SQLITE_INSERT,
        ffi::SQLITE_CREATE_VIEW,
        ffi::SQLITE_DROP_VIEW,
        ffi::SQLITE_REINDEX,
        ffi::SQLITE_READ,
        ffi::SQLITE_UPDATE,
    ] {
        check(Decision::Allow, action, "t", "");
        check(Decision::Allow, action, "_cf", "");
        check(Decision::Deny, action, "_cf_KV", "");
        check(Decision::Deny, action, "_CF_kv", "");
    }
    for action in [
        ffi::SQLITE_CREATE_INDEX,
        ffi::SQLITE_DROP_INDEX,
        ffi::SQLITE_CREATE_TRIGGER,
        ffi::SQLITE_DROP_TRIGGER,
    ] {
        check(Decision::Allow, action, "i", "t");
        check(Decision::Deny, action, "_cf_i", "t");
        check(Decision::Deny, action, "i", "_cf_KV");
    }
    check(Decision::Allow, ffi::SQLITE_ALTER_TABLE, "main", "t");
    check(Decision::Deny, ffi::SQLITE_ALTER_TABLE, "main", "_cf_KV");
    check(Decision::Deny, ffi::SQLITE_ALTER_TABLE, "temp", "t");
}

#[test]
fn temporary_and_attached_databases_are_refused() {
    for action in [
        ffi::SQLITE_ATTACH,
        ffi::SQLITE_DETACH,
        ffi::SQLITE_CREATE_TEMP_TABLE,
        ffi::SQLITE_CREATE_TEMP_INDEX,
        ffi::SQLITE_CREATE_TEMP_TRIGGER,
        ffi::SQLITE_CREATE_TEMP_VIEW,
        ffi::SQLITE_DROP_TEMP_TABLE,
        ffi::SQLITE_TRANSACTION,
        ffi::SQLITE_SAVEPOINT,
        ffi::SQLITE_COPY,
        9999,
    ] {
        check(Decision::Deny, action, "t", "t");
    }
    let within = |action, database| {
        decide(&Request { action, first: Some(b"t"), second: None, database: Some(database) })
    };
    assert_eq!(within(ffi::SQLITE_READ, b"temp"), Decision::Allow);
    assert_eq!(within(ffi::SQLITE_UPDATE, b"temp"), Decision::Allow);
    assert_eq!(within(ffi::SQLITE_INSERT, b"temp"), Decision::Deny);
    assert_eq!(within(ffi::SQLITE_READ, b"vacuum_db"), Decision::Deny);
}

#[test]
fn only_four_modules_make_virtual_tables() {
    for module in ["fts5", "FTS5", "fts5vocab", "rtree", "rtree_i32"] {
        check(Decision::Allow, ffi::SQLITE_CREATE_VTABLE, "t", module);
    }
    for module in ["fts3", "dbstat", "csv", "json_each", ""] {
        check(Decision::Deny, ffi::SQLITE_CREATE_VTABLE, "t", module);
    }
    check(Decision::Deny, ffi::SQLITE_DROP_VTABLE, "_cf_t", "fts5");
}

#[test]
fn functions_are_matched_exactly() {
    assert!(FUNCTIONS.is_sorted());
    for function in ["count", "json_each", "->>", "bm25", "substring", "CURRENT_TIMESTAMP"] {
        check(Decision::Allow, ffi::SQLITE_FUNCTION, "", function);
    }
    for function in ["sqlite_version", "log10", "json_pretty", "Count", "unistr", "fts5"] {
        check(Decision::Deny, ffi::SQLITE_FUNCTION, "", function);
    }
}

#[test]
fn pragmas_are_matched_with_their_argument() {
    let allowed = [
        ("table_list", ""),
        ("TABLE_INFO", "t"),
        ("foreign_keys", ""),
        ("foreign_keys", "'On'"),
        ("defer_foreign_keys", "1"),
        ("foreign_key_check", ""),
        ("foreign_key_check", "t"),
        ("quick_check", "10"),
        ("optimize", "0x10002"),
        ("optimize", "-1"),
        ("optimize", ""),
        ("page_size", ""),
    ];
    for (pragma, argument) in allowed {
        check(Decision::Allow, ffi::SQLITE_PRAGMA, pragma, argument);
    }
    let denied = [
        ("table_info", ""),
        ("table_info", "_cf_KV"),
        ("foreign_keys", "2"),
        ("quick_check", "_cf_KV"),
        ("page_size", "512"),
        ("journal_mode", ""),
        ("locking_mode", "normal"),
        ("wal_checkpoint", ""),
        ("writable_schema", "1"),
    ];
    for (pragma, argument) in denied {
        check(Decision::Deny, ffi::SQLITE_PRAGMA, pragma, argument);
    }
}

#[test]
fn a_reserved_name_is_found_in_any_case() {
    assert!(mentions_reserved_name("ALTER TABLE t RENAME TO \"_Cf_KV\""));
    assert!(mentions_reserved_name("alter table t rename to _cf"));
    assert!(!mentions_reserved_name("alter table t rename to cf"));
}
