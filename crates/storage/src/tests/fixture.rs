//! A database in a folder of its own, whose commits become durable when the test says so.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::Folder;
use crate::{CommitLog, Database, Durability, DurabilitySink, Error, Value, ValueRef};

pub(crate) struct Fixture {
    pub(crate) folder: Folder,
    pub(crate) path: PathBuf,
    pub(crate) sink: Arc<HeldSink>,
    pub(crate) reports: Arc<Mutex<Vec<Report>>>,
}

/// A token with what became of its commits.
pub(crate) type Report = (u64, Result<u64, Error>);

/// A sink that does nothing by itself.
#[derive(Default)]
pub(crate) struct HeldSink {
    logs: Mutex<Vec<(Arc<CommitLog>, u64)>>,
}

impl Fixture {
    pub(crate) fn new() -> (Fixture, Database) {
        let folder = Folder::new();
        let path = folder.path().join("namespace/x.sqlite");
        let (sink, reports) = Default::default();
        let fixture = Fixture { folder, path, sink, reports };
        let database = fixture.open();
        (fixture, database)
    }

    pub(crate) fn open(&self) -> Database {
        Database::open(&self.path, &self.durability()).unwrap()
    }

    pub(crate) fn durability(&self) -> Durability {
        let reports = self.reports.clone();
        let on_durable = move |token, outcome| reports.lock().unwrap().push((token, outcome));
        Durability {
            sink: self.sink.clone(),
            token: 7,
            counted: 0,
            on_durable: Arc::new(on_durable),
        }
    }

    /// What was reported since the last call.
    pub(crate) fn take_reports(&self) -> Vec<Report> {
        std::mem::take(&mut self.reports.lock().unwrap())
    }
}

impl HeldSink {
    /// Syncs what was handed in since the last call.
    pub(crate) fn run(&self) {
        for (log, _) in self.take() {
            log.sync();
        }
    }

    /// What was handed in since the last call.
    pub(crate) fn take(&self) -> Vec<(Arc<CommitLog>, u64)> {
        std::mem::take(&mut self.logs.lock().unwrap())
    }
}

impl DurabilitySink for HeldSink {
    fn commit(&self, log: &Arc<CommitLog>, number: u64) {
        self.logs.lock().unwrap().push((log.clone(), number));
    }
}

/// All rows of a statement.
pub(crate) fn rows(database: &Database, sql: &str) -> Vec<Vec<Value>> {
    let mut cursor = database.exec(sql, &[]).unwrap();
    let mut rows = Vec::new();
    while cursor.has_row() {
        rows.push((0..cursor.column_count()).map(|at| cursor.value(at).to_owned()).collect());
        cursor.advance().unwrap();
    }
    rows
}

/// The only value of a statement.
pub(crate) fn number(database: &Database, sql: &str) -> i64 {
    match database.exec(sql, &[]).unwrap().value(0) {
        ValueRef::Integer(number) => number,
        other => panic!("{other:?}"),
    }
}
