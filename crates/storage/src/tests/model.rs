//! Random operations give the same answers as a map with snapshots.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Fixture, rows};
use crate::{Database, KvList, Value, ValueRef};

#[derive(Debug, Clone)]
enum Operation {
    Put(u8, u16),
    PutAll(u8, u16),
    Delete(u8),
    Insert(u8, u16),
    Remove(u8),
    FailHalfWay(u8),
    List { prefix: u8, reverse: bool },
    Savepoint,
    Release,
    RollBack,
    RollBackAll,
    Commit,
    Reset,
    Reopen,
    Close,
}

/// The key-value table and a SQL table.
type Data = [BTreeMap<u8, u16>; 2];

#[derive(Default)]
struct Model {
    now: Data,
    committed: Data,
    savepoints: Vec<Data>,
}

fn operation() -> impl Strategy<Value = Operation> {
    let key = 0..12_u8;
    prop_oneof![
        6 => (key.clone(), any::<u16>()).prop_map(|(key, value)| Operation::Put(key, value)),
        2 => (key.clone(), any::<u16>()).prop_map(|(key, value)| Operation::PutAll(key, value)),
        3 => key.clone().prop_map(Operation::Delete),
        6 => (key.clone(), any::<u16>()).prop_map(|(key, value)| Operation::Insert(key, value)),
        3 => key.clone().prop_map(Operation::Remove),
        1 => key.clone().prop_map(Operation::FailHalfWay),
        2 => (key, any::<bool>())
            .prop_map(|(prefix, reverse)| Operation::List { prefix, reverse }),
        3 => Just(Operation::Savepoint),
        2 => Just(Operation::Release),
        2 => Just(Operation::RollBack),
        1 => Just(Operation::RollBackAll),
        3 => Just(Operation::Commit),
        1 => Just(Operation::Reset),
        1 => Just(Operation::Reopen),
        1 => Just(Operation::Close),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000, // Of 100 operations each.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn operations_agree_with_the_model(operations in vec(operation(), 100)) {
        let (fixture, mut database) = Fixture::new();
        let mut model = Model::default();
        database.exec(SCHEMA, &[]).unwrap();
        database.commit().unwrap();
        for operation in operations {
            match operation {
                Operation::Reopen => database = fixture.open_after(drop, database),
                Operation::Close => {
                    database = fixture.open_after(|database| database.close().unwrap(), database);
                }
                ref other => apply(&database, &mut model, other),
            }
            if matches!(operation, Operation::Reopen | Operation::Close) {
                model.savepoints.clear();
                model.now = model.committed.clone();
            }
            prop_assert_eq!(&stored(&database), &model.now);
        }
    }
}

impl Fixture {
    fn open_after(&self, end: impl FnOnce(Database), database: Database) -> Database {
        end(database);
        self.open()
    }
}

fn apply(database: &Database, model: &mut Model, operation: &Operation) {
    let sql = |sql: &str, values: &[i64]| {
        let values: Vec<_> = values.iter().map(|value| ValueRef::Integer(*value)).collect();
        database.exec(sql, &values).map(|cursor| cursor.rows_written())
    };
    match *operation {
        Operation::Put(key, value) => {
            database.kv_put(&name(key), &value.to_be_bytes()).unwrap();
            model.now[0].insert(key, value);
        }
        Operation::PutAll(key, value) => {
            let entries = [key, key / 2].map(|key| (name(key), value.to_be_bytes()));
            database.kv_put_all(&entries).unwrap();
            model.now[0].extend([(key, value), (key / 2, value)]);
        }
        Operation::Delete(key) => {
            let existed = database.kv_delete(&name(key)).unwrap();
            assert_eq!(existed, model.now[0].remove(&key).is_some());
        }
        Operation::Insert(key, value) => {
            sql("INSERT OR REPLACE INTO t VALUES (?, ?)", &[key.into(), value.into()]).unwrap();
            model.now[1].insert(key, value);
        }
        Operation::Remove(key) => {
            let removed = sql("DELETE FROM t WHERE k = ?", &[key.into()]).unwrap();
            assert_eq!(removed == 1, model.now[1].remove(&key).is_some());
        }
        Operation::FailHalfWay(key) => {
            // The second row violates the check; the statement leaves nothing behind.
            sql("INSERT OR REPLACE INTO t VALUES (?, 1), (0, -1)", &[key.into()]).unwrap_err();
        }
        Operation::List { prefix, reverse } => list(database, &model.now[0], prefix, reverse),
        Operation::Savepoint => {
            database.savepoint().unwrap();
            model.savepoints.push(model.now.clone());
        }
        Operation::Release => {
            assert_eq!(database.release().is_ok(), model.savepoints.pop().is_some());
        }
        Operation::RollBack => {
            let before = model.savepoints.pop();
            assert_eq!(database.roll_back().is_ok(), before.is_some());
            model.now = before.unwrap_or_else(|| model.now.clone());
        }
        Operation::RollBackAll => {
            database.roll_back_all();
            model.savepoints.clear();
            model.now = model.committed.clone();
        }
        Operation::Commit => {
            let committed = database.commit();
            assert_eq!(committed.is_ok(), model.savepoints.is_empty());
            if committed.is_ok() {
                model.committed = model.now.clone();
            }
        }
        Operation::Reset if model.savepoints.is_empty() => {
            database.reset().unwrap();
            database.exec(SCHEMA, &[]).unwrap();
            database.commit().unwrap();
            model.now = Data::default();
            model.committed = Data::default();
        }
        Operation::Reset => assert!(database.reset().is_err()),
        Operation::Reopen | Operation::Close => unreachable!("handled by the caller"),
    }
}

fn list(database: &Database, expect: &BTreeMap<u8, u16>, prefix: u8, reverse: bool) {
    let prefix = name(prefix)[..1].to_owned();
    let options = KvList { prefix: Some(prefix.clone()), reverse, ..KvList::default() };
    let mut cursor = database.kv_list(&options).unwrap();
    let mut found = Vec::new();
    while let Some((key, _)) = cursor.next().unwrap() {
        found.push(key);
    }
    let mut expect: Vec<_> =
        expect.keys().map(|key| name(*key)).filter(|key| key.starts_with(&prefix)).collect();
    if reverse {
        expect.reverse();
    }
    assert_eq!(found, expect);
}

fn stored(database: &Database) -> Data {
    let mut cursor = database.kv_list(&KvList::default()).unwrap();
    let mut keys = BTreeMap::new();
    while let Some((key, value)) = cursor.next().unwrap() {
        keys.insert(key.parse().unwrap(), u16::from_be_bytes(value.try_into().unwrap()));
    }
    let table = rows(database, "SELECT k, v FROM t").into_iter().map(|row| match row[..] {
        [Value::Integer(key), Value::Integer(value)] => (key as u8, value as u16),
        _ => panic!("{row:?}"),
    });
    [keys, table.collect()]
}

/// Two digits, so that keys sort as numbers do and share prefixes.
fn name(key: u8) -> String {
    format!("{key:02}")
}

const SCHEMA: &str = "CREATE TABLE t (k INTEGER PRIMARY KEY, v INTEGER CHECK (v >= 0))";
