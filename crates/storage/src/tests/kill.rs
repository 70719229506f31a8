//! A process killed at any step of its work loses nothing it has acknowledged.
//!
//! The parent starts a child that writes, copies its log, closes, deletes and recovers, and tells
//! it after how many passes of which step to die. What the child printed before is the ledger.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, mpsc};

use rusqlite::ffi;

use super::{Fixture, Folder, number};
use crate::database_file::SYNC_DELETED;
use crate::durability::{SYNC_COMMITS, SYNC_ERASED, SYNC_FIRST_PAGE, SYNC_NAMES, SYNC_PAGES};
use crate::history::SYNC_HISTORY;
use crate::{Database, Durability, HistorySettings, Settings, SyncPool, delete_database};

#[test]
fn a_process_killed_at_a_step_of_ours_keeps_every_acknowledged_commit() {
    kill_at(&STEPS[..7]);
}

#[test]
fn a_process_killed_around_a_sync_keeps_every_acknowledged_commit() {
    kill_at(&STEPS[7..]);
}

fn kill_at(steps: &[&str]) {
    let mut died = 0;
    for (index, step) in steps.iter().enumerate() {
        let folder = Folder::new();
        let mut acknowledged = 0;
        for round in 1..=ROUNDS_PER_STEP {
            // Every step is passed at some rounds many times before, at others few.
            let passes = 1 + (round * 7 + index as u64) % 11;
            let (ended_by_kill, newest) = write_until(folder.path(), &format!("{step}:{passes}"));
            died += u64::from(ended_by_kill);
            acknowledged = newest.unwrap_or(acknowledged);
            verify(folder.path(), acknowledged);
        }
    }
    let rounds = ROUNDS_PER_STEP * steps.len() as u64;
    assert!(rounds >= 100 && died * 10 >= rounds * 8, "{died} of {rounds} died at their step");
}

/// Runs the child; whether it was killed, and what it acknowledged last.
fn write_until(folder: &Path, fatal: &str) -> (bool, Option<u64>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::kill::writer_process", "--nocapture", "--test-threads=1"])
        .env(FOLDER_VARIABLE, folder)
        .env(DIE_VARIABLE, fatal)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let numbers = lines.filter_map(|line| line.unwrap().strip_prefix("ack ")?.parse().ok());
    let newest = numbers.last();
    (child.wait().unwrap().code().is_none(), newest)
}

/// The child's part: nothing when run as a test.
#[test]
fn writer_process() {
    let Some(folder) = std::env::var_os(FOLDER_VARIABLE) else { return };
    count_writes_of_sqlite();
    let path = path(Path::new(&folder));
    let sink = SyncPool::start(1).unwrap();
    let (sender, reports) = mpsc::channel();
    let open = |token: u64| {
        let sender = sender.clone();
        let on_durable = Arc::new(move |token, outcome| sender.send((token, outcome)).unwrap());
        let durability = Durability { sink: sink.clone(), token, counted: 0, on_durable };
        Database::open_with(&path, &durability, &settings()).unwrap()
    };
    let mut token = 0;
    let mut database = open(token);
    database.exec("CREATE TABLE IF NOT EXISTS t (a INTEGER PRIMARY KEY, b)", &[]).unwrap();
    let first = number(&database, "SELECT count(*) FROM t") as u64 + 1;
    for value in first..first + 30 {
        database.exec("INSERT INTO t (b) VALUES (randomblob(5000))", &[]).unwrap();
        database.kv_put(&format!("{value:08}"), &value.to_be_bytes()).unwrap();
        let commit = database.commit().unwrap().unwrap();
        loop {
            let (of, newest) = reports.recv().unwrap();
            if of == token && newest.is_ok_and(|newest| newest >= commit) {
                break;
            }
        }
        println!("\nack {value}");
        std::io::stdout().flush().unwrap();
        match value % 6 {
            1 | 4 => database.checkpoint().unwrap(),
            3 => {
                let bookmark = database.current_bookmark().unwrap();
                database.restore_at_next_open(&bookmark).unwrap();
                database.close().unwrap();
                token += 1;
                database = open(token);
            }
            5 => {
                let other = path.with_file_name("deleted.sqlite");
                delete_database(&other).unwrap();
                std::fs::write(&other, "x").unwrap();
                delete_database(&other).unwrap();
            }
            _ => {}
        }
    }
}

fn verify(folder: &Path, acknowledged: u64) {
    let (fixture, _) = Fixture::new();
    let durability = fixture.durability();
    let database = Database::open_with(&path(folder), &durability, &settings()).unwrap();
    let tables = number(&database, "SELECT count(*) FROM sqlite_schema WHERE name = 't'");
    if tables == 0 {
        return assert_eq!(acknowledged, 0);
    }
    let rows = number(&database, "SELECT count(*) FROM t") as u64;
    assert!(rows >= acknowledged, "{rows} rows, {acknowledged} acknowledged");
    assert_eq!(database.kv_count().unwrap(), rows, "both halves of a commit, or none");
    for value in 1..=acknowledged {
        let stored = database.kv_get(&format!("{value:08}")).unwrap();
        assert_eq!(stored.unwrap(), value.to_be_bytes());
    }
    let check = database.exec("PRAGMA quick_check", &[]).unwrap();
    assert_eq!(check.value(0), crate::ValueRef::Text("ok"));
}

fn settings() -> Settings {
    let history = HistorySettings { keep_ms: 1 << 40, bytes_max: 1 << 22, now_ms: || 1 };
    Settings { history: Some(history), ..Settings::default() }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("killed.sqlite")
}

/// A place in the code where the child may be told to die.
pub(crate) fn step(name: &'static str) {
    PASSED.with_borrow_mut(|passed| *passed.entry(name).or_default() += 1);
    static FATAL: LazyLock<Option<(String, AtomicU64)>> = LazyLock::new(|| {
        let fatal = std::env::var(DIE_VARIABLE).ok()?;
        let (name, passes) = fatal.rsplit_once(':')?;
        Some((name.to_owned(), AtomicU64::new(passes.parse().unwrap())))
    });
    let Some((fatal, passes)) = &*FATAL else { return };
    if name == fatal && passes.fetch_sub(1, Ordering::Relaxed) == 1 {
        // SAFETY: no pointers are involved.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        std::thread::sleep(std::time::Duration::MAX);
    }
}

/// How often this thread came to a step.
pub(crate) fn passed(name: &str) -> u64 {
    PASSED.with_borrow(|passed| passed.get(name).copied().unwrap_or(0))
}

thread_local! {
    static PASSED: RefCell<HashMap<&'static str, u64>> = RefCell::default();
}

type Write = unsafe extern "C" fn(i32, *const libc::c_void, usize) -> isize;

/// Makes every write of SQLite a step.
fn count_writes_of_sqlite() {
    // SAFETY: the file system is static; the function has the type that SQLite calls it with.
    unsafe {
        let vfs = ffi::sqlite3_vfs_find(c"unix-none".as_ptr());
        let counted: Write = counted_write;
        let counted = std::mem::transmute::<Write, unsafe extern "C" fn()>(counted);
        let set = (*vfs).xSetSystemCall.unwrap();
        assert_eq!(set(vfs, c"write".as_ptr(), Some(counted)), ffi::SQLITE_OK);
    }
}

/// # Safety
/// As of `write`.
unsafe extern "C" fn counted_write(file: i32, bytes: *const libc::c_void, count: usize) -> isize {
    step(A_WRITE);
    // SAFETY: the caller's duty.
    unsafe { libc::write(file, bytes, count) }
}

const DIE_VARIABLE: &str = "BERYL_STORAGE_TEST_DIE";
const FOLDER_VARIABLE: &str = "BERYL_STORAGE_TEST_WRITER";
const ROUNDS_PER_STEP: u64 = 15;
const A_WRITE: &str = "a write of SQLite";

const STEPS: [&str; 14] = [
    "before a commit",
    "before a commit is handed in",
    "before a checkpoint",
    "before a checkpoint settles",
    "delete it",
    "rename it",
    A_WRITE,
    SYNC_COMMITS,
    SYNC_FIRST_PAGE,
    SYNC_NAMES,
    SYNC_PAGES,
    SYNC_ERASED,
    SYNC_DELETED,
    SYNC_HISTORY,
];
