//! What has no room on the disk is in the archive, and comes back when a bookmark asks for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;

use super::{Fixture, number};
use crate::history::folder_of_history;
use crate::{Archive, Database, HistorySettings, Settings, ValueRef, delete_database};

static CLOCK: AtomicU64 = AtomicU64::new(1_000);

fn settings(keep_ms: u64) -> Settings {
    let now_ms = || CLOCK.fetch_add(1_000, Ordering::Relaxed);
    // Room for two snapshots of a small database.
    let history = HistorySettings { keep_ms, bytes_max: 1_500_000, now_ms };
    Settings { history: Some(history), ..Settings::default() }
}

/// A database whose history has passed its room.
struct Scene {
    fixture: Fixture,
    database: Database,
    archive: Archive,
    /// The bookmarks, and how many rows there were.
    states: Vec<(String, i64)>,
}

impl Scene {
    fn new(store: Arc<dyn ObjectStore>, keep_ms: u64) -> Scene {
        let (fixture, database) = Fixture::new();
        database.close().unwrap();
        let archive = Archive::start(store, fixture.path.parent().unwrap()).unwrap();
        let database = open(&fixture, keep_ms);
        database.exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b)", &[]).unwrap();
        let mut scene = Scene { fixture, database, archive, states: Vec::new() };
        scene.fill();
        scene
    }

    fn fill(&mut self) {
        for _ in 0..30 {
            let size = [ValueRef::Integer(60_000)];
            self.database.exec("INSERT INTO t (b) VALUES (zeroblob(?))", &size).unwrap();
            let old = "DELETE FROM t WHERE a < (SELECT max(a) FROM t) - 4";
            self.database.exec(old, &[]).unwrap();
            let newest = number(&self.database, "SELECT max(a) FROM t");
            self.states.push((self.database.current_bookmark().unwrap(), newest));
            self.database.commit().unwrap();
            self.fixture.sink.run();
            self.database.checkpoint().unwrap();
            self.fixture.sink.run();
            self.wait_until_sent();
        }
    }

    /// What is sent follows the commits; here nothing is to be lost for lack of room.
    fn wait_until_sent(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.archive.is_idle() {
            assert!(Instant::now() < deadline, "the archive does not come to an end");
            std::thread::yield_now();
        }
    }

    fn names(&self, end: &str) -> usize {
        let names = std::fs::read_dir(folder_of_history(&self.fixture.path)).unwrap();
        names.filter(|name| name.as_ref().unwrap().path().to_str().unwrap().ends_with(end)).count()
    }

    fn fetch(&self, bookmark: &str) -> Result<bool, String> {
        let (sent, fetched) = channel();
        let on_fetched = Box::new(move |outcome| sent.send(outcome).unwrap());
        let is_fetching = self.database.fetch_state(bookmark, on_fetched).unwrap();
        if is_fetching {
            fetched.recv().unwrap().map_err(|error| error.to_string())?;
        }
        Ok(is_fetching)
    }
}

fn open(fixture: &Fixture, keep_ms: u64) -> Database {
    Database::open_with(&fixture.path, &fixture.durability(), &settings(keep_ms)).unwrap()
}

fn count(store: &dyn ObjectStore) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.list(None).try_collect::<Vec<_>>()).unwrap().len()
}

fn every_state_comes_back(store: Arc<dyn ObjectStore>) {
    let mut scene = Scene::new(store, FOR_EVER);
    assert!(scene.names(".archived") > 3, "much of the history has left the disk");
    let mut fetched = 0;
    for (bookmark, newest) in scene.states.clone().into_iter().step_by(7) {
        fetched += u32::from(scene.fetch(&bookmark).unwrap());
        scene.database.restore_at_next_open(&bookmark).unwrap();
        scene.database.close().unwrap();
        scene.database = open(&scene.fixture, FOR_EVER);
        assert_eq!(number(&scene.database, "SELECT max(a) FROM t"), newest);
        scene.fixture.sink.run();
    }
    assert!(fetched > 0);
}

#[test]
fn states_without_room_on_the_disk_come_back_from_a_folder() {
    let folder = super::Folder::new();
    let store = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
    every_state_comes_back(Arc::new(store));
}

#[test]
fn states_without_room_on_the_disk_come_back_from_an_object_store() {
    every_state_comes_back(Arc::new(InMemory::new()));
}

#[test]
fn what_is_out_of_time_leaves_the_archive_and_a_deleted_database_takes_all_of_it_along() {
    let store = Arc::new(InMemory::new());
    let scene = Scene::new(store.clone(), 40_000);
    let (bookmark, _) = &scene.states[0];
    let refused = scene.database.restore_at_next_open(bookmark).unwrap_err().message();
    assert_eq!(refused, "No state that old is kept any more.");
    let kept = count(&*store);
    assert!(kept > 0 && kept < 40, "{kept} objects");
    scene.database.close().unwrap();
    delete_database(&scene.fixture.path).unwrap();
    drop(scene.archive);
    assert_eq!(count(&*store), 0);
}

#[test]
fn an_archive_that_fails_stops_no_commit_and_is_tried_again() {
    let (fixture, database) = Fixture::new();
    database.close().unwrap();
    let folder = super::Folder::new();
    let store = Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap());
    // In the way of the database's own folder.
    let obstacle = folder.path().join(fixture.path.file_name().unwrap());
    std::fs::write(&obstacle, "").unwrap();
    let archive = Archive::start(store.clone(), fixture.path.parent().unwrap()).unwrap();
    let database = open(&fixture, FOR_EVER);
    database.exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b)", &[]).unwrap();
    for _ in 0..3 {
        database.exec("INSERT INTO t (b) VALUES (1)", &[]).unwrap();
        let commit = database.commit().unwrap().unwrap();
        fixture.sink.run();
        assert!(database.durable() >= commit);
        database.checkpoint().unwrap();
        fixture.sink.run();
    }
    assert!(!archive.is_idle());
    std::fs::remove_file(&obstacle).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while count(&*store) < 4 {
        assert!(Instant::now() < deadline, "it is not tried again");
        std::thread::yield_now();
    }
    drop(archive);
}

const FOR_EVER: u64 = u64::MAX / 4;
