//! Every state of the past comes back as it was, and the way back can be undone.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::sim::SimDisk;
use super::{Fixture, number};
use crate::disk::{DiskFile, Mode};
use crate::{Database, Durability, Error, HistorySettings, Settings, ValueRef};

static CLOCK: AtomicU64 = AtomicU64::new(1_000);

/// A clock that moves by a second per look.
fn clock() -> u64 {
    CLOCK.fetch_add(1_000, Ordering::Relaxed)
}

fn settings() -> Settings {
    let history = HistorySettings { keep_ms: u64::MAX / 4, bytes_max: 64 << 20, now_ms: clock };
    Settings { history: Some(history), ..Settings::default() }
}

impl Fixture {
    fn open_with(&self, settings: &Settings) -> Database {
        Database::open_with(&self.path, &self.durability(), settings).unwrap()
    }

    fn fresh() -> (Fixture, Database) {
        let (fixture, database) = Fixture::new();
        database.close().unwrap();
        let database = fixture.open_with(&settings());
        (fixture, database)
    }
}

fn set(database: &Database, value: i64, bytes: i64) -> String {
    database.exec("CREATE TABLE IF NOT EXISTS t (a INTEGER PRIMARY KEY, b)", &[]).unwrap();
    let values = [ValueRef::Integer(value), ValueRef::Integer(bytes)];
    database.exec("INSERT INTO t VALUES (?, randomblob(?))", &values).unwrap();
    database.exec("UPDATE t SET b = randomblob(?2) WHERE a = ?1 / 2", &values).unwrap();
    let bookmark = database.current_bookmark().unwrap();
    database.commit().unwrap();
    bookmark
}

fn content(database: &Database) -> Vec<Vec<crate::Value>> {
    match number(database, "SELECT count(*) FROM sqlite_schema") {
        0 => Vec::new(),
        _ => super::rows(database, "SELECT a, b FROM t"),
    }
}

#[test]
fn every_bookmark_gives_its_state_back() {
    let (fixture, mut database) = Fixture::fresh();
    let mut states = vec![(database.current_bookmark().unwrap(), content(&database))];
    for value in 1..=60 {
        let bookmark = set(&database, value, 3_000);
        states.push((bookmark, content(&database)));
        fixture.sink.run();
        match value % 7 {
            2 => database.checkpoint().unwrap(),
            4 => {
                database.close().unwrap();
                database = fixture.open_with(&settings());
            }
            // A process that died.
            6 => {
                drop(database);
                database = fixture.open_with(&settings());
            }
            _ => {}
        }
    }
    assert!(states.is_sorted_by(|(one, _), (other, _)| one < other));
    let now = content(&database);
    for (bookmark, state) in states.iter().rev().step_by(7).chain(&states[..1]) {
        let undo = database.restore_at_next_open(bookmark).unwrap();
        drop(database);
        database = fixture.open_with(&settings());
        assert!(content(&database) == *state, "{bookmark}");
        assert!(database.current_bookmark().unwrap() > undo);
        database.restore_at_next_open(&undo).unwrap();
        drop(database);
        database = fixture.open_with(&settings());
        assert!(content(&database) == now, "undone: {bookmark}");
    }
}

#[test]
fn times_find_the_newest_state_before_them() {
    let (fixture, database) = Fixture::fresh();
    let mut known = Vec::new();
    for value in 1..20 {
        let bookmark = set(&database, value, 100);
        known.push((CLOCK.load(Ordering::Relaxed), bookmark));
        clock();
        if value % 5 == 0 {
            fixture.sink.run();
            database.checkpoint().unwrap();
            fixture.sink.run();
        }
    }
    for (time, bookmark) in &known {
        assert_eq!(&database.bookmark_for_time(*time).unwrap(), bookmark, "at {time}");
    }
    let refused = database.bookmark_for_time(1).unwrap_err().message();
    assert_eq!(refused, "No state that old is kept any more.");
}

#[test]
fn old_generations_go_and_their_bookmarks_are_refused() {
    let (fixture, database) = Fixture::new();
    database.close().unwrap();
    let history = HistorySettings { keep_ms: 20_000, bytes_max: 64 << 20, now_ms: clock };
    let settings = Settings { history: Some(history), ..Settings::default() };
    let database = fixture.open_with(&settings);
    let first = set(&database, 1, 10);
    for value in 2..40 {
        set(&database, value, 150_000);
        fixture.sink.run();
        database.checkpoint().unwrap();
        fixture.sink.run();
    }
    let refused = database.restore_at_next_open(&first).unwrap_err().message();
    assert_eq!(refused, "No state that old is kept any more.");
    let folder = crate::history::folder_of_history(&fixture.path);
    assert!(std::fs::read_dir(folder).unwrap().count() < 20);
}

#[test]
fn bookmarks_of_others_are_refused() {
    let ((_one, first), (_two, second)) = (Fixture::fresh(), Fixture::fresh());
    set(&first, 1, 1);
    set(&second, 1, 1);
    let refused = |text: &str| second.restore_at_next_open(text).unwrap_err().message();
    let foreign = first.current_bookmark().unwrap();
    assert_eq!(refused(&foreign), "The bookmark is not one of this Durable Object's storage.");
    assert_eq!(refused("x"), "This is not a bookmark.");
    let (_three, without) = Fixture::new();
    let refused = without.current_bookmark().unwrap_err().message();
    assert!(refused.ends_with("does not implement point-in-time recovery."));
}

#[test]
fn a_database_that_is_deleted_takes_its_history_along() {
    let (fixture, database) = Fixture::fresh();
    set(&database, 1, 1);
    database.close().unwrap();
    let folder = crate::history::folder_of_history(&fixture.path);
    assert!(folder.exists());
    crate::delete_database(&fixture.path).unwrap();
    assert!(!folder.exists());
}

/// The power fails at every step of a recovery: the next start has the old state or the new one,
/// and finishes what was wished for.
#[test]
fn a_recovery_survives_a_power_failure_at_every_step() {
    fail_power_while_recovering(|_| ());
}

/// The log of a damaged database cannot be kept and must not come back on top of what is recovered.
#[test]
fn a_recovery_of_a_damaged_database_survives_a_power_failure_at_every_step() {
    fail_power_while_recovering(|database| {
        let file = DiskFile::open(database, Mode::ReadWrite).unwrap();
        file.write_at(&[0xaa; 100], 0).unwrap();
        file.sync("be damaged").unwrap();
    });
}

fn fail_power_while_recovering(before: impl Fn(&Path)) {
    let durability = || Durability {
        sink: Arc::new(super::fixture::HeldSink::default()),
        token: 0,
        counted: 0,
        on_durable: Arc::new(|_, _| ()),
    };
    let mut steps = 0;
    for step in 0.. {
        let disk = SimDisk::new(step);
        let path = disk.folder.join("x.sqlite");
        let open = || Database::open_with(&path, &durability(), &settings());
        let database = open().unwrap();
        let early = set(&database, 1, 5_000);
        let expect = content(&database);
        database.close().unwrap();
        let database = open().unwrap();
        set(&database, 2, 5_000);
        database.log().sync();
        database.restore_at_next_open(&early).unwrap();
        drop(database);
        before(&path);
        let begun = disk.steps();
        disk.fail_power_in(step);
        let recovered = open();
        let finished = recovered.is_ok() && !disk.is_off();
        drop(recovered);
        steps = disk.steps() - begun;
        disk.restart();
        let database = open().unwrap();
        assert!(content(&database) == expect, "power failed at step {step} of {steps}");
        drop(database);
        disk.discard();
        if finished {
            break;
        }
    }
    assert!(steps > 60, "{steps} steps only");
}

#[test]
fn a_history_that_cannot_be_written_stops_nothing() {
    let (fixture, database) = Fixture::fresh();
    set(&database, 1, 10);
    // In the way of the folder.
    std::fs::write(crate::history::folder_of_history(&fixture.path), "").unwrap_or_default();
    fixture.sink.run();
    database.checkpoint().unwrap();
    fixture.sink.run();
    assert!(database.is_copied());
    let values = [ValueRef::Integer(2)];
    database.exec("INSERT INTO t VALUES (?, 1)", &values).unwrap();
    database.commit().unwrap();
    fixture.sink.run();
    assert!(!matches!(database.exec("SELECT 1", &[]), Err(Error::BrokenStorage { .. })));
}

#[test]
fn times_of_commits_outlive_a_reset_of_the_object() {
    let (fixture, database) = Fixture::fresh();
    set(&database, 1, 10);
    let first = database.current_bookmark().unwrap();
    let time = CLOCK.load(Ordering::Relaxed);
    clock();
    set(&database, 2, 10);
    database.abandon();
    let database = fixture.open_with(&settings());
    assert_eq!(database.bookmark_for_time(time).unwrap(), first);
}
