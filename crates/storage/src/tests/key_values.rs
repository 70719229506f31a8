//! The key-value table (ST-5, ST-6, ST-13).

use super::Fixture;
use crate::{Database, KvList};

fn keys(database: &Database, options: &KvList) -> String {
    let mut cursor = database.kv_list(options).unwrap();
    let mut keys = Vec::new();
    while let Some((key, value)) = cursor.next().unwrap() {
        assert_eq!(key.as_bytes(), value);
        keys.push(key);
    }
    assert!(cursor.next().unwrap().is_none());
    keys.join(" ")
}

#[test]
fn values_are_set_replaced_and_deleted() {
    let (_fixture, database) = Fixture::new();
    database.kv_put("k", b"1").unwrap();
    database.kv_put("k", b"").unwrap();
    database.kv_put("nul\0key", b"2").unwrap();
    assert_eq!(database.kv_get("k").unwrap().unwrap(), b"");
    assert_eq!(database.kv_get("nul\0key").unwrap().unwrap(), b"2");
    assert_eq!(database.kv_get("nul").unwrap(), None);
    assert_eq!(database.kv_count().unwrap(), 2);
    assert!(database.kv_delete("k").unwrap());
    assert!(!database.kv_delete("k").unwrap());
}

#[test]
fn lists_respect_bounds_order_and_limit() {
    let (_fixture, database) = Fixture::new();
    let text = |text: &str| Some(text.to_owned());
    let all = KvList::default();
    assert_eq!(keys(&database, &all), "");
    for key in ["a", "b", "ba", "bb", "c", "é", "z"] {
        database.kv_put(key, key.as_bytes()).unwrap();
    }
    let check = |options: KvList, expect: &str| assert_eq!(keys(&database, &options), expect);
    check(all.clone(), "a b ba bb c z é");
    check(KvList { reverse: true, limit: Some(2), ..all.clone() }, "é z");
    check(KvList { start: text("b"), end: text("c"), ..all.clone() }, "b ba bb");
    check(KvList { start_after: text("b"), end: text("c"), ..all.clone() }, "ba bb");
    check(KvList { prefix: text("b"), ..all.clone() }, "b ba bb");
    check(KvList { prefix: text("b"), start: text("ba"), ..all.clone() }, "ba bb");
    check(KvList { prefix: text("b"), end: text("bb"), reverse: true, ..all.clone() }, "ba b");
    check(KvList { prefix: text("b"), start: text("c"), ..all.clone() }, "");
    check(KvList { prefix: text("é"), ..all.clone() }, "é");
    check(KvList { prefix: text(""), limit: Some(1), ..all.clone() }, "a");
    check(KvList { start: text("c"), end: text("b"), ..all.clone() }, "");
    check(KvList { limit: Some(0), ..all }, "");
}

#[test]
fn a_new_list_invalidates_the_old_one() {
    let (_fixture, database) = Fixture::new();
    for key in ["a", "b", "c"] {
        database.kv_put(key, b"").unwrap();
    }
    let mut old = database.kv_list(&KvList::default()).unwrap();
    old.next().unwrap().unwrap();
    let mut new = database.kv_list(&KvList::default()).unwrap();
    let expect = "kv.list() iterator was invalidated because a new call to kv.list() was started. \
                  Only one kv.list() iterator can exist at a time.";
    assert_eq!(old.next().unwrap_err().message(), expect);
    // Dropping the old one leaves the new one where it is.
    assert_eq!(new.next().unwrap().unwrap().0, "a");
    drop(old);
    assert_eq!(new.next().unwrap().unwrap().0, "b");
}

#[test]
fn user_sql_cannot_reach_a_table_under_its_list() {
    let (_fixture, database) = Fixture::new();
    database.kv_put("a", b"1").unwrap();
    let mut list = database.kv_list(&KvList::default()).unwrap();
    database.kv_put("b", b"2").unwrap();
    assert!(database.exec("DROP TABLE _cf_KV", &[]).is_err());
    assert_eq!(list.next().unwrap().unwrap().0, "a");
}
