//! Nothing is reported durable before it is on disk, and a failed sync is final.

use std::sync::{Arc, mpsc};

use super::sim::{Fault, SimDisk};
use super::{Fixture, number};
use crate::sync_pool::THREADS_DEFAULT;
use crate::{Database, Durability, Error, SyncPool, delete_database};

#[test]
fn a_commit_is_durable_only_after_its_sync() {
    let (fixture, database) = Fixture::new();
    database.kv_put("a", b"1").unwrap();
    assert_eq!(database.commit().unwrap(), Some(1));
    assert_eq!((database.committed(), database.durable()), (1, 0));
    assert!(fixture.take_reports().is_empty());
    let (log, number) = fixture.sink.take().remove(0);
    assert_eq!((number, log.token()), (1, 7));
    // A commit made meanwhile shares the sync.
    database.kv_put("b", b"2").unwrap();
    database.commit().unwrap();
    log.sync();
    assert_eq!(fixture.take_reports(), [(7, Ok(2))]);
    assert_eq!(database.durable(), 2);
    // One made afterwards does not.
    database.kv_put("c", b"3").unwrap();
    database.commit().unwrap();
    assert_eq!(database.durable(), 2);
    assert!(fixture.take_reports().is_empty());
}

#[test]
fn a_failed_sync_is_final() {
    let (fixture, database) = Fixture::new();
    database.kv_put("a", b"1").unwrap();
    database.commit().unwrap();
    let (log, _) = fixture.sink.take().remove(0);
    let cause = Error::Bug { place: "a disk that fails" };
    log.fail(cause.clone());
    assert_eq!(fixture.take_reports(), [(7, Err(cause.clone()))]);
    let refused = database.kv_get("a").unwrap_err();
    assert!(matches!(refused, Error::BrokenStorage { .. }), "{refused}");
    assert_eq!(database.exec("SELECT 1", &[]).map(|_| ()).unwrap_err(), refused);
    assert_eq!(database.commit().unwrap_err(), refused);
    // A sync that works now proves nothing about the pages that failed.
    log.sync();
    assert_eq!(fixture.take_reports(), [(7, Err(cause))]);
    assert_eq!(log.durable(), 0);
}

#[test]
fn a_device_that_cannot_sync_fails_the_commit() {
    let disk = SimDisk::new(1);
    let (fixture, _) = Fixture::new();
    let database = Database::open(&disk.folder.join("x.sqlite"), &fixture.durability()).unwrap();
    database.kv_put("a", b"1").unwrap();
    database.commit().unwrap();
    disk.fail_call_in(0, Fault::Io);
    fixture.sink.take()[0].0.sync();
    let (_, outcome) = fixture.take_reports().remove(0);
    assert!(matches!(outcome, Err(Error::BrokenFile { .. })), "{outcome:?}");
    assert!(database.kv_get("a").unwrap_err().breaks_actor());
    disk.discard();
}

#[test]
fn the_last_commits_of_a_deleted_database_fail_no_sync() {
    let (fixture, database) = Fixture::new();
    database.kv_put("a", b"1").unwrap();
    database.commit().unwrap();
    database.close().unwrap();
    delete_database(&fixture.path).unwrap();
    std::fs::remove_dir(fixture.path.parent().unwrap()).unwrap();
    fixture.sink.take()[0].0.sync();
    assert_eq!(fixture.take_reports(), [(7, Ok(1))]);
}

#[test]
fn a_panic_of_the_callback_stays_with_its_database() {
    let (fixture, _) = Fixture::new();
    let mut durability = fixture.durability();
    durability.on_durable = Arc::new(|_, _| panic!("a defect of the caller"));
    let path = fixture.folder.path().join("other.sqlite");
    let database = Database::open(&path, &durability).unwrap();
    database.kv_put("a", b"1").unwrap();
    database.commit().unwrap();
    fixture.sink.take()[0].0.sync();
    assert_eq!(database.durable(), 1);
}

#[test]
fn the_pool_makes_many_databases_durable_and_ends_with_its_queue_empty() {
    const DATABASES: u64 = 20;
    const COMMITS: u64 = 10;
    let (fixture, _) = Fixture::new();
    let pool = SyncPool::start(THREADS_DEFAULT).unwrap();
    let (sender, reports) = mpsc::channel();
    let databases: Vec<Database> = (0..DATABASES)
        .map(|token| {
            let sender = sender.clone();
            let on_durable = Arc::new(move |token, outcome| sender.send((token, outcome)).unwrap());
            let durability = Durability { sink: pool.clone(), token, counted: 0, on_durable };
            let path = fixture.folder.path().join(format!("pool/{token}.sqlite"));
            Database::open(&path, &durability).unwrap()
        })
        .collect();
    for commit in 1..=COMMITS {
        for database in &databases {
            database.kv_put("n", &commit.to_be_bytes()).unwrap();
            assert_eq!(database.commit().unwrap(), Some(commit));
        }
    }
    let logs: Vec<_> = databases.iter().map(|database| database.log().clone()).collect();
    // The databases hold the pool; the last one to go waits for the queue.
    drop((pool, databases));
    assert!(logs.iter().all(|log| log.durable() == COMMITS));
    drop((logs, sender));
    let mut newest = vec![0; DATABASES as usize];
    for (token, outcome) in reports {
        let number = outcome.unwrap();
        let newest = &mut newest[token as usize];
        assert!(number >= *newest, "reports of one database go forward");
        *newest = number;
    }
    assert_eq!(newest, vec![COMMITS; DATABASES as usize]);
}

#[test]
fn memory_can_be_given_back_at_any_time() {
    let (_fixture, database) = Fixture::new();
    let mut cursor = database.exec("SELECT 1 UNION ALL SELECT 2", &[]).unwrap();
    database.release_memory();
    assert!(cursor.advance().unwrap());
    assert_eq!(number(&database, "SELECT 1"), 1);
}
