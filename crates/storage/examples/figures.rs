//! Prints what a database costs: `cargo run --release -p storage --example figures`.
//!
//! Memory of one that is open and idle, time to open a cold one with a hundred tables, what keeping
//! history adds to a commit, and how long commits wait for the copying of the log. Every commit
//! waits for the disk.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use storage::{
    CommitLog, Database, Durability, DurabilitySink, HistorySettings, Settings, ValueRef,
};

type Outcome = Result<(), Box<dyn Error>>;

/// Syncs on the calling thread, so that a commit takes what it takes.
struct AtOnce;

impl DurabilitySink for AtOnce {
    fn commit(&self, log: &Arc<CommitLog>, _number: u64) {
        log.sync();
    }
}

fn main() -> Outcome {
    let folder = std::env::temp_dir().join(format!("beryl-figures-{}", std::process::id()));
    let outcome =
        idle_memory(&folder).and_then(|()| cold_opening(&folder)).and_then(|()| history(&folder));
    std::fs::remove_dir_all(folder)?;
    outcome
}

fn idle_memory(folder: &Path) -> Outcome {
    let open = |index| -> Result<Database, storage::Error> {
        let database = open(&folder.join(format!("idle/{index}.sqlite")), None)?;
        database.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, n INTEGER)", &[])?;
        for n in 0..20 {
            database.exec("INSERT INTO t (v, n) VALUES ('text', ?)", &[ValueRef::Integer(n)])?;
        }
        database.kv_put("key", b"value")?;
        database.exec("SELECT v FROM t WHERE id = 7", &[])?;
        database.commit()?;
        Ok(database)
    };
    // What the first ones take is not theirs alone.
    let first = (0..100).map(open).collect::<Result<Vec<_>, _>>()?;
    let (heap, resident) = (storage::heap_used(), resident_bytes()?);
    let databases = (100..100 + DATABASES).map(open).collect::<Result<Vec<_>, _>>()?;
    let each =
        |now: u64, before: u64| now.saturating_sub(before) as f64 / DATABASES as f64 / 1024.0;
    let used = each(storage::heap_used(), heap);
    let all = each(resident_bytes()?, resident);
    databases.iter().for_each(Database::release_memory);
    let idle = each(storage::heap_used(), heap);
    println!("open database: SQLite has {used:.1} KB, idle {idle:.1} KB; resident {all:.1} KB");
    drop((first, databases));
    Ok(())
}

fn cold_opening(folder: &Path) -> Outcome {
    let path = |index| -> PathBuf { folder.join(format!("cold/{index}.sqlite")) };
    for index in 0..COLD {
        let database = open(&path(index), None)?;
        for table in 0..100 {
            let sql = format!("CREATE TABLE t{table} (id INTEGER PRIMARY KEY, a TEXT, b, c REAL)");
            database.exec(&sql, &[])?;
        }
        database.exec("INSERT INTO t50 (a) VALUES ('x')", &[])?;
        database.commit()?;
        database.close()?;
    }
    let times = (0..COLD).map(|index| {
        let start = Instant::now();
        let database = open(&path(index), None)?;
        let found = database.exec("SELECT a FROM t50 WHERE id = 1", &[])?.has_row();
        let took = start.elapsed();
        assert!(found, "the row is there");
        Ok(took)
    });
    let times = times.collect::<Result<Vec<_>, storage::Error>>()?;
    print("open and first query, 100 tables", times);
    Ok(())
}

/// In turns, so that a slow spell of the disk hits both.
fn history(folder: &Path) -> Outcome {
    let settings =
        || HistorySettings { keep_ms: 30 * 24 * 3_600_000, bytes_max: 256 << 20, now_ms };
    let plain = open(&folder.join("plain.sqlite"), None)?;
    let kept = open(&folder.join("kept.sqlite"), Some(settings()))?;
    let mut times = [Vec::new(), Vec::new()];
    for database in [&plain, &kept] {
        database.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)", &[])?;
        database.commit()?;
    }
    for _ in 0..COMMITS {
        for (database, times) in [&plain, &kept].into_iter().zip(&mut times) {
            let start = Instant::now();
            database.exec("INSERT INTO t (v) VALUES ('a row of some length, as rows are')", &[])?;
            database.commit()?;
            database.checkpoint_if_large()?;
            times.push(start.elapsed());
        }
    }
    let [plain, kept] = &times;
    let sum = |times: &[Duration]| times.iter().sum::<Duration>().as_secs_f64();
    let (without, with) = (sum(plain), sum(kept));
    println!("history adds {:.1} % to commits on average", (with / without - 1.0) * 100.0);
    let [plain, kept] = times;
    print("commit without history, copying of the log included", plain);
    print("commit with history", kept);
    Ok(())
}

fn open(path: &Path, history: Option<HistorySettings>) -> Result<Database, storage::Error> {
    let on_durable = Arc::new(|_, outcome: Result<u64, storage::Error>| drop(outcome));
    let durability = Durability { sink: Arc::new(AtOnce), token: 0, counted: 0, on_durable };
    let settings = Settings { history, ..Settings::default() };
    Database::open_with(path, &durability, &settings)
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1000.0;
    let (p50, p99, most) = (at(0.5), at(0.99), at(1.0));
    println!("{what}: p50 {p50:.3} ms, p99 {p99:.3} ms, most {most:.2} ms");
}

fn resident_bytes() -> Result<u64, Box<dyn Error>> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split(' ').nth(1).ok_or("no second field")?;
    Ok(pages.parse::<u64>()? * 4096)
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

const DATABASES: u64 = 1_000;
const COLD: u64 = 300;
const COMMITS: usize = 5_000;
