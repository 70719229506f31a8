//! Power failures while the small logs are written and databases are copied.
//!
//! As in [`super::power`]: what was acknowledged is there afterwards, and leaving out any one sync
//! must be noticed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;

use super::fixture::HeldSink;
use super::sim::{SimDisk, Site};
use crate::disk::sync_file_system;
use crate::keyed_log::{Entries, KeyedLog};
use crate::{AppendLog, Database, Durability, Error, ValueRef, copy_database};

/// Works on a disk until its power fails, and checks first what an earlier life left. The outer
/// error is the disk's.
type Life<L> = fn(&SimDisk, &mut L) -> Result<Result<(), String>, Error>;

#[test]
fn records_of_an_append_log_survive_a_power_failure() {
    survive(append);
}

#[test]
fn entries_of_a_keyed_log_survive_a_power_failure() {
    survive(set_keys);
}

#[test]
fn the_copy_of_a_database_survives_a_power_failure() {
    survive(copy);
}

/// What a dead process left must be durable before another believes it.
#[test]
fn leaving_out_the_sync_at_the_start_of_a_process_is_noticed() {
    let disk = SimDisk::new(0);
    start_anew(&disk);
    let site = disk.take_syncs().pop_first();
    disk.discard();
    assert!((0..1_000).any(|seed| story(seed, site, append).0.is_err()), "in append-only logs");
    assert!((0..1_000).any(|seed| story(seed, site, set_keys).0.is_err()), "in keyed logs");
}

/// Lives through power failures, then finds that each sync is needed.
fn survive<L: Default>(life: Life<L>) {
    let mut sites = BTreeSet::new();
    for seed in 0..150 {
        let (found, made) = story(seed, None, life);
        found.unwrap_or_else(|found| panic!("seed {seed}: {found}"));
        sites.extend(made);
    }
    assert!(sites.len() >= 2, "{sites:?}");
    for site in sites {
        let noticed = (0..1_000).any(|seed| story(seed, Some(site), life).0.is_err());
        assert!(noticed, "{site} was left out, and no test failed");
    }
}

/// Some lives on one disk; the syncs that were made, but for those that a life takes away.
fn story<L: Default>(
    seed: u64,
    left_out: Option<Site>,
    life: Life<L>,
) -> (Result<(), String>, BTreeSet<Site>) {
    let disk = SimDisk::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    if let Some(site) = left_out {
        disk.be_deaf_to(site);
    }
    let mut ledger = L::default();
    let mut syncs = BTreeSet::new();
    let found = (0..10).try_for_each(|_| {
        let (steps, is_kill) = (5 + disk.random(60), disk.random(2) == 0);
        // Half of the processes die without a power failure.
        if is_kill {
            disk.kill_in(steps)
        } else {
            disk.fail_power_in(steps)
        }
        let found = loop {
            match life(&disk, &mut ledger) {
                Ok(Ok(())) if !disk.is_off() => {
                    syncs.extend(disk.take_syncs());
                    start_anew(&disk);
                }
                Ok(found) => break found,
                Err(_) if disk.is_off() => break Ok(()),
                Err(error) => break Err(format!("{error:?}")),
            }
        };
        if is_kill {
            disk.resume();
            start_anew(&disk);
        } else {
            disk.restart();
        }
        found
    });
    disk.discard();
    (found, syncs)
}

/// Another process begins, as the data directory has it begin.
fn start_anew(disk: &SimDisk) {
    // Where the power fails now, the next life notices.
    drop(sync_file_system(&disk.folder));
}

/// Bytes that are there for good.
fn append(disk: &SimDisk, durable: &mut Vec<u8>) -> Result<Result<(), String>, Error> {
    let (mut log, content) = AppendLog::open(&disk.folder.join("x.facets"), b"12345678")?;
    if !content.starts_with(durable) {
        return Ok(Err(format!("{} bytes instead of {}", content.len(), durable.len())));
    }
    log.truncate(durable.len() as u64)?;
    for _ in 0..disk.random(4) {
        let record = vec![1 + disk.random(255) as u8; 1 + disk.random(600) as usize];
        log.append(&record)?;
        durable.extend(record);
    }
    Ok(Ok(()))
}

/// What may be found under each key; one value where it is known.
#[derive(Default)]
struct Keys {
    /// The log was acknowledged to be there.
    exists: bool,
    values: BTreeMap<u8, BTreeSet<Vec<u8>>>,
}

fn set_keys(disk: &SimDisk, keys: &mut Keys) -> Result<Result<(), String>, Error> {
    let path = disk.folder.join("alarms");
    let log = match KeyedLog::open(&path)? {
        Some(log) => log,
        // What was not acknowledged may have torn it; its owner knows the facts.
        None if keys.exists && keys.values.values().all(|values| values.len() == 1) => {
            return Ok(Err("the log is gone".into()));
        }
        None => {
            let newest = keys.values.iter().filter_map(|(key, values)| {
                Some((vec![*key].into(), values.last()?.clone().into()))
            });
            KeyedLog::create(&path, newest.collect::<Entries>())?
        }
    };
    keys.exists = true;
    for (key, values) in &mut keys.values {
        let found = log.find(&[*key], <[u8]>::to_vec).unwrap_or_default();
        if !values.contains(&found) {
            return Ok(Err(format!("key {key} has an old value of {} bytes", found.len())));
        }
        *values = BTreeSet::from([found]);
    }
    for _ in 0..disk.random(4) {
        let key = disk.random(3) as u8;
        // Large ones have the file written anew.
        let bytes = 1 + disk.random(if disk.random(3) == 0 { 400_000 } else { 200 });
        let value = vec![disk.random(255) as u8; bytes as usize];
        keys.values.entry(key).or_insert_with(|| [Vec::new()].into()).insert(value.clone());
        if disk.random(4) == 0 {
            log.set(&[key], &value)?;
            continue;
        }
        let (sent, synced) = channel();
        log.set_durably(&[key], &value, Box::new(move |outcome| sent.send(outcome).unwrap()));
        synced.recv().unwrap()?;
        keys.values.insert(key, [value].into());
    }
    Ok(Ok(()))
}

/// Rows of the copies, by number; the newest may have been begun only.
#[derive(Default)]
struct Copies(Vec<Option<i64>>);

fn copy(disk: &SimDisk, copies: &mut Copies) -> Result<Result<(), String>, Error> {
    let path = |number: usize| disk.folder.join(format!("{number}.sqlite"));
    for (copy, rows) in copies.0.iter().enumerate() {
        let Some(rows) = *rows else { continue };
        let database = open(&path(copy))?;
        let has_table = "SELECT count(*) FROM sqlite_schema WHERE name = 't'";
        let found = match count(&database, has_table)? {
            0 => 0,
            _ => count(&database, "SELECT count(*) FROM t")?,
        };
        if found != rows {
            return Ok(Err(format!("copy {copy} has {found} rows instead of {rows}")));
        }
        database.abandon();
    }
    let source = disk.folder.join("source.sqlite");
    let database = open(&source)?;
    database.exec("CREATE TABLE IF NOT EXISTS t (a)", &[])?;
    database.exec("INSERT INTO t VALUES (randomblob(3000))", &[])?;
    database.commit()?;
    database.sync_now()?;
    if disk.random(2) == 0 {
        database.checkpoint()?;
        database.log().sync();
    }
    let rows = count(&database, "SELECT count(*) FROM t")?;
    database.abandon();
    copies.0.push(None);
    // The others are the business of other tests.
    disk.take_syncs();
    copy_database(&source, &path(copies.0.len() - 1))?;
    *copies.0.last_mut().unwrap() = Some(rows);
    Ok(Ok(()))
}

fn count(database: &Database, sql: &str) -> Result<i64, Error> {
    database.exec(sql, &[]).map(|cursor| match cursor.value(0) {
        ValueRef::Integer(count) => count,
        _ => -1,
    })
}

fn open(path: &Path) -> Result<Database, Error> {
    let sink = Arc::new(HeldSink::default());
    Database::open(
        path,
        &Durability { sink, token: 0, counted: 0, on_durable: Arc::new(|_, _| ()) },
    )
}
