//! A process killed while it writes loses nothing it has acknowledged.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, mpsc};

use super::{Fixture, Folder, number};
use crate::{Database, Durability, SyncPool};

const ROUNDS: u64 = 20;
const DIE_VARIABLE: &str = "BERYL_STORAGE_TEST_DIE";
const FOLDER_VARIABLE: &str = "BERYL_STORAGE_TEST_WRITER";

#[test]
fn a_killed_writer_keeps_every_acknowledged_commit() {
    let folder = Folder::new();
    let mut acknowledged = 0;
    for round in 1..=ROUNDS {
        let mut child = start_writer(folder.path());
        let output = BufReader::new(child.stdout.take().unwrap());
        let goal = acknowledged + 3 + round * 7 % 11;
        for line in output.lines() {
            // What came through before the kill counts, read before or after it.
            let Some(number) = line.unwrap().strip_prefix("ack ").map(str::to_owned) else {
                continue;
            };
            acknowledged = number.parse().unwrap();
            if acknowledged == goal {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(acknowledged >= goal, "the writer ended by itself after {acknowledged}");
        verify(folder.path(), acknowledged);
    }
}

/// The child's part: nothing when run as a test.
#[test]
fn writer_process() {
    let Some(folder) = std::env::var_os(FOLDER_VARIABLE) else { return };
    let (sender, reports) = mpsc::channel();
    let on_durable = Arc::new(move |_, outcome| sender.send(outcome).unwrap());
    let durability =
        Durability { sink: SyncPool::start(1).unwrap(), token: 0, counted: 0, on_durable };
    let database = Database::open(&path(Path::new(&folder)), &durability).unwrap();
    database.exec("CREATE TABLE IF NOT EXISTS t (a INTEGER PRIMARY KEY, b)", &[]).unwrap();
    let first = number(&database, "SELECT count(*) FROM t") as u64 + 1;
    for value in first.. {
        database.exec("INSERT INTO t (b) VALUES (randomblob(5000))", &[]).unwrap();
        database.kv_put(&format!("{value:08}"), &value.to_be_bytes()).unwrap();
        let commit = database.commit().unwrap().unwrap();
        while reports.recv().unwrap().unwrap() < commit {}
        let mut output = std::io::stdout().lock();
        writeln!(output, "\nack {value}").unwrap();
        output.flush().unwrap();
        drop(output);
        database.checkpoint_if_large().unwrap();
    }
}

fn start_writer(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::kill::writer_process", "--nocapture", "--test-threads=1"])
        .env(FOLDER_VARIABLE, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn verify(folder: &Path, acknowledged: u64) {
    let (fixture, _) = Fixture::new();
    let database = Database::open(&path(folder), &fixture.durability()).unwrap();
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

fn path(folder: &Path) -> std::path::PathBuf {
    folder.join("killed.sqlite")
}

/// A place in the code where the child may be told to die: `BERYL_STORAGE_TEST_DIE=<name>:<n>`
/// names it and how often it is passed before.
pub(crate) fn step(name: &'static str) {
    static FATAL: LazyLock<Option<(String, AtomicU64)>> = LazyLock::new(|| {
        let (name, passes) = std::env::var(DIE_VARIABLE).ok()?.rsplit_once(':').map(own)?;
        Some((name, AtomicU64::new(passes)))
    });
    let Some((fatal, passes)) = &*FATAL else { return };
    if name == fatal && passes.fetch_sub(1, Ordering::Relaxed) == 1 {
        // SAFETY: no pointers are involved.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        std::thread::sleep(std::time::Duration::MAX);
    }
}

fn own((name, passes): (&str, &str)) -> (String, u64) {
    (name.to_owned(), passes.parse().unwrap())
}
