//! Power failures at every step of a database's life lose nothing that was acknowledged.
//!
//! A life is a seeded run of commits, syncs, checkpoints, restarts and deletions on a simulated
//! disk ([`super::sim`]) that ends with a power failure; the next life of the same disk begins with
//! a check against the ledger of what was acknowledged. Leaving out any one sync, or believing a
//! commit before it is durable, must make the check fail: there is a test of each. The smaller
//! files have their lives in [`super::power_of_logs`].

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::fixture::HeldSink;
use super::number;
use super::sim::{Fault, SimDisk, Site};
use crate::{Database, Durability, Error, HistorySettings, Settings, ValueRef, delete_database};

/// Power failures of one test run; `make torture` asks for more.
fn crashes() -> u64 {
    std::env::var("BERYL_TORTURE").map_or(2_500, |count| count.parse::<u64>().unwrap() / 4)
}

#[test]
fn power_failures_lose_nothing_acknowledged_1() {
    survive(1);
}

#[test]
fn power_failures_lose_nothing_acknowledged_2() {
    survive(2);
}

#[test]
fn power_failures_lose_nothing_acknowledged_3() {
    survive(3);
}

#[test]
fn power_failures_lose_nothing_acknowledged_4() {
    survive(4);
}

fn survive(test: u64) {
    let mut crashes = crashes();
    let mut seed = test << 32;
    while crashes > 0 {
        seed += 1;
        let mut story = Story::new(seed, Broken::Nothing);
        for _ in 0..LIVES_PER_DISK.min(crashes) {
            crashes -= 1;
            if let Err(found) = story.live() {
                panic!("seed {seed}: {found}");
            }
        }
    }
}

/// A disk that fails one call, at any place, is no different: nothing acknowledged is lost, and
/// what was written before comes back.
#[test]
fn an_error_at_every_call_loses_nothing_acknowledged() {
    for fault in [Fault::Io, Fault::Full] {
        let mut failed = 0;
        for call in 0..600 {
            let mut story = Story::new(call % 7, Broken::Nothing);
            story.disk.fail_call_in(call, fault);
            let calls = story.disk.steps() + 800;
            for life in 0..3 {
                let outcome = story.live_for(if life == 0 { calls } else { 200 });
                outcome.unwrap_or_else(|found| panic!("{fault:?} at call {call}: {found}"));
                // The process starts anew, and with every other call the machine does.
                if call % 2 == 0 {
                    story.disk.restart();
                } else {
                    story.disk.resume();
                }
            }
            failed += u64::from(story.disk.failed());
        }
        assert!(failed > 500, "{fault:?}: only {failed} calls failed");
    }
}

/// Each place that makes a sync is left out alone.
#[test]
fn leaving_out_a_sync_or_the_gate_is_noticed() {
    let sites = (0..200).flat_map(|seed| {
        let mut story = Story::new(seed, Broken::Nothing);
        (0..LIVES_PER_DISK).for_each(|_| story.live().unwrap());
        story.disk.take_syncs()
    });
    let sites: BTreeSet<_> = sites.collect();
    let left_out = [Broken::Gate, Broken::AdoptedGate];
    let mut unnoticed = Vec::new();
    for broken in sites.into_iter().map(Broken::Sync).chain(left_out) {
        let noticed = (0..2_000).any(|seed| {
            let mut story = Story::new(seed, broken);
            (0..LIVES_PER_DISK).any(|_| story.live().is_err())
        });
        unnoticed.extend((!noticed).then_some(broken));
    }
    assert!(unnoticed.is_empty(), "left out, and no test failed: {unnoticed:?}");
}

/// What a run leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    Nothing,
    /// A sync that succeeds without doing anything.
    Sync(Site),
    /// A commit counts as acknowledged before it is durable.
    Gate,
    /// What an earlier process left in the WAL counts as durable.
    AdoptedGate,
}

/// A disk with its ledger.
struct Story {
    disk: Arc<SimDisk>,
    broken: Broken,
    path: PathBuf,
    /// The newest value whose commit was acknowledged; 0 after an acknowledged deletion.
    acknowledged: i64,
    /// The newest value that may be there.
    written: i64,
    /// A deletion was begun and not acknowledged.
    is_deleting: bool,
    /// Half of the disks keep history; half of those begin with it in their second life.
    settings: Settings,
    history_later: Option<HistorySettings>,
    began_late: bool,
    /// Bookmarks of states, the acknowledged ones first.
    marks: Vec<(String, i64)>,
    /// A state that was wished for, and whether the wish was acknowledged.
    wished: Option<(i64, bool)>,
}

/// What a step of a life may end with besides an error of the disk.
type Found = Result<(), String>;

impl Story {
    fn new(seed: u64, broken: Broken) -> Story {
        let disk = SimDisk::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
        if let Broken::Sync(site) = broken {
            disk.be_deaf_to(site);
        }
        let path = disk.folder.join("x.sqlite");
        let history = HistorySettings { keep_ms: 1 << 40, bytes_max: 1 << 26, now_ms: || 1 };
        let history = Some(history).filter(|_| seed.is_multiple_of(2));
        let (history, history_later) =
            if seed.is_multiple_of(4) { (None, history) } else { (history, None) };
        Story {
            disk,
            broken,
            path,
            acknowledged: 0,
            written: 0,
            is_deleting: false,
            settings: Settings { history, ..Settings::default() },
            began_late: history_later.is_some(),
            history_later,
            marks: Vec::new(),
            wished: None,
        }
    }

    /// One life: opens, checks, works until the power fails, restarts.
    fn live(&mut self) -> Found {
        // Opening takes about twenty calls.
        let outcome = self.live_for(self.disk.random(250));
        self.disk.restart();
        outcome
    }

    /// Lives until the power fails after so many calls, or a call fails.
    fn live_for(&mut self, calls: u64) -> Found {
        self.disk.fail_power_in(calls);
        let outcome = self.work();
        if let Some(history) = self.history_later.take() {
            self.settings.history = Some(history);
        }
        outcome
    }

    fn work(&mut self) -> Found {
        loop {
            let sink = Arc::new(HeldSink::default());
            let durability = Durability {
                sink: sink.clone(),
                token: 0,
                counted: 0,
                on_durable: Arc::new(|_, _| ()),
            };
            let opened = Database::open_with(&self.path, &durability, &self.settings);
            let database = match opened {
                Ok(database) => database,
                Err(error) => return self.disk_failed(&error),
            };
            match self.use_database(&database, &sink) {
                Ok(None) => return Ok(()),
                Ok(Some(End::Kill)) => drop(database),
                Ok(Some(End::Close)) => {
                    if let Err(error) = database.close() {
                        return self.disk_failed(&error);
                    }
                }
                Ok(Some(End::Delete)) => {
                    database.abandon();
                    self.is_deleting = true;
                    if let Err(error) = delete_database(&self.path) {
                        return self.disk_failed(&error);
                    }
                    (self.acknowledged, self.written, self.is_deleting) = (0, 0, false);
                    self.marks.clear();
                }
                Err(found) => return Err(found),
            }
        }
    }

    /// Checks, then works; `None` when the power failed.
    fn use_database(
        &mut self,
        database: &Database,
        sink: &HeldSink,
    ) -> Result<Option<End>, String> {
        match self.check(database) {
            Ok(Ok(())) => {}
            Ok(Err(found)) => return Err(found),
            Err(error) => return self.disk_failed(&error).map(|()| None),
        }
        // What was seen must last: whoever reads is answered when it is durable.
        let seen = self.written;
        if self.broken != Broken::AdoptedGate {
            sink.run();
            if database.durable() < database.committed() {
                return Ok(None);
            }
        }
        self.acknowledged = seen;
        for _ in 0..self.disk.random(12) {
            match self.step(database, sink) {
                Ok(None) => {}
                Ok(end) => return Ok(end),
                Err(error) => return self.disk_failed(&error).map(|()| None),
            }
        }
        Ok(Some(End::Kill))
    }

    fn step(&mut self, database: &Database, sink: &HeldSink) -> Result<Option<End>, Error> {
        match self.disk.random(16) {
            0 => return Ok(Some(End::Close)),
            1 => return Ok(Some(End::Kill)),
            2 if self.disk.random(3) == 0 => return Ok(Some(End::Delete)),
            2 => return self.go_back(database),
            15 if self.disk.random(4) == 0 => return self.empty(database, sink),
            3 | 4 => database.checkpoint()?,
            5..=8 => {
                sink.run();
                self.learn(database)?;
            }
            _ => {
                let value = self.written + 1;
                let bytes = self.disk.random(9_000) as i64;
                let values = [ValueRef::Integer(value), ValueRef::Integer(bytes)];
                database.exec(SCHEMA, &[])?;
                database.exec("INSERT INTO t VALUES (?, zeroblob(?))", &values)?;
                database.exec("UPDATE sums SET n = n + 1, total = total + ?", &values[..1])?;
                if value % 4 == 0 {
                    let old = [ValueRef::Integer(value - 3)];
                    database.exec("UPDATE t SET b = zeroblob(10) WHERE a < ?", &old)?;
                }
                // From here on it may be on disk.
                self.written = value;
                if self.settings.history.is_some() {
                    self.marks.push((database.current_bookmark()?, value));
                }
                database.commit()?;
                if self.broken == Broken::Gate {
                    self.acknowledged = value;
                }
            }
        }
        Ok(None)
    }

    /// Removes everything in one commit: until it is durable, all of it may be there or nothing.
    fn empty(&mut self, database: &Database, sink: &HeldSink) -> Result<Option<End>, Error> {
        self.is_deleting = true;
        database.reset()?;
        sink.run();
        if let Some(error) = database.log().failure() {
            return Err(error.clone());
        }
        (self.acknowledged, self.written, self.is_deleting) = (0, 0, false);
        self.marks.clear();
        Ok(None)
    }

    /// Wishes for an earlier state, or one that an earlier wish left behind.
    fn go_back(&mut self, database: &Database) -> Result<Option<End>, Error> {
        self.learn(database)?;
        let newest = self.marks.iter().rposition(|(_, value)| *value <= self.acknowledged);
        let Some(newest) = newest else { return Ok(None) };
        let (bookmark, value) = self.marks[self.disk.random(newest as u64 + 1) as usize].clone();
        self.marks.truncate(newest + 1);
        self.wished = Some((value, false));
        match database.restore_at_next_open(&bookmark) {
            // A failed call has made a gap, or the state is older than the history.
            Err(Error::AppSql { .. }) if self.disk.failed() || self.began_late => {
                self.wished = None;
                Ok(None)
            }
            Err(error) => Err(error),
            Ok(_) => {
                self.wished = Some((value, true));
                Ok(Some(End::Kill))
            }
        }
    }

    /// Takes note of commits that are durable: one per value, and they end with the newest.
    fn learn(&mut self, database: &Database) -> Result<(), Error> {
        let behind = database.committed() - database.durable();
        if let Some(error) = database.log().failure() {
            return Err(error.clone());
        }
        self.acknowledged = self.acknowledged.max(self.written - behind as i64);
        Ok(())
    }

    /// An error must come from the disk; anything else was found by the test.
    fn disk_failed(&self, error: &Error) -> Found {
        let text = error.to_string();
        let from_disk = matches!(error, Error::BrokenFile { .. } | Error::BrokenStorage { .. })
            || text.contains("full: SQLITE_FULL")
            || text.contains("the disk is full")
            || text.contains("no storage space")
            || text.contains("Input/output error")
            || text.contains("the disk reported an error")
            || text.contains("cannot write it")
            || text.contains("the power is off");
        let damaged = text.contains("CORRUPT") || text.contains("damaged");
        if from_disk && !damaged { Ok(()) } else { Err(format!("{error:?}")) }
    }

    /// Compares what is there with the ledger. The outer error is the disk's.
    fn check(&mut self, database: &Database) -> Result<Found, Error> {
        let tables = count(database, "SELECT count(*) FROM sqlite_schema WHERE name = 'sums'")?;
        if tables == 0 {
            self.marks.clear();
            let expected = self.acknowledged == 0 || self.is_deleting;
            (self.acknowledged, self.written, self.is_deleting) = (0, 0, false);
            return Ok(if expected { Ok(()) } else { Err("everything is lost".into()) });
        }
        let newest = count(database, "SELECT coalesce(max(a), 0) FROM t")?;
        let rows = count(database, "SELECT count(*) FROM t")?;
        let counted = count(database, "SELECT n FROM sums")?;
        let total = count(database, "SELECT total FROM sums")?;
        let wished = self.wished;
        let (lost, invented) = match wished {
            // A history that cannot be written is given up, and the wish with it.
            Some((value, true)) if newest != value && self.disk.failed() => {
                (newest < self.acknowledged, newest > self.written)
            }
            Some((value, true)) => (newest != value, false),
            Some((value, false)) if newest == value => (false, false),
            _ => (newest < self.acknowledged, newest > self.written),
        };
        // States that were not acknowledged and are gone have no bookmark any more.
        let durable = self.acknowledged.max(newest);
        let alive = self.marks.iter().position(|(_, value)| *value > durable);
        self.marks.truncate(alive.unwrap_or(self.marks.len()));
        if wished.is_some() {
            self.acknowledged = newest;
        }
        let torn = rows != newest || counted != newest || total != newest * (newest + 1) / 2;
        let acknowledged = (self.acknowledged, self.written);
        (self.written, self.is_deleting) = (newest, false);
        let mut check = database.exec("PRAGMA quick_check", &[])?;
        let mut damage = String::new();
        while check.has_row() {
            if let ValueRef::Text(text) = check.value(0)
                && text != "ok"
            {
                damage.push_str(text);
            }
            check.advance()?;
        }
        // A page that cannot be read counts as damage for SQLite.
        let works = !self.disk.is_off() && !self.disk.failed();
        if works {
            self.wished = None;
        }
        if works && (lost || invented || torn || !damage.is_empty()) {
            return Ok(Err(format!(
                "newest {newest}, rows {rows}, counted {counted}, total {total}, \
                 acknowledged and written {acknowledged:?}, wished {wished:?}, damage {damage:?}"
            )));
        }
        Ok(Ok(()))
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        self.disk.discard();
    }
}

/// How a handle ends.
enum End {
    Close,
    /// The process is gone; the machine goes on.
    Kill,
    Delete,
}

fn count(database: &Database, sql: &str) -> Result<i64, Error> {
    match database.exec(sql, &[])?.value(0) {
        ValueRef::Integer(number) => Ok(number),
        _ => Ok(-1),
    }
}

#[test]
fn the_check_counts_what_is_there() {
    let mut story = Story::new(7, Broken::Nothing);
    let durability = Durability {
        sink: Arc::new(HeldSink::default()),
        token: 0,
        counted: 0,
        on_durable: Arc::new(|_, _| ()),
    };
    let database = Database::open(&story.path, &durability).unwrap();
    database.exec(SCHEMA, &[]).unwrap();
    database.exec("INSERT INTO t VALUES (1, NULL)", &[]).unwrap();
    assert_eq!(number(&database, "SELECT count(*) FROM t"), 1);
    assert!(story.check(&database).unwrap().is_err(), "the sums do not match");
}

const LIVES_PER_DISK: u64 = 25;

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS t (a INTEGER PRIMARY KEY, b); \
     CREATE TABLE IF NOT EXISTS sums (n, total); \
     INSERT INTO sums SELECT 0, 0 WHERE NOT EXISTS (SELECT 1 FROM sums)";
