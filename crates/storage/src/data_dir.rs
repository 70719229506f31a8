//! The data directory: created, checked to be writable, and held by one process.
//!
//! The lock is an `flock` on `beryl.lock`, which the kernel drops with the process, however it
//! ends. The file holds the holder's process id and the machine's boot, and is emptied at an
//! orderly end. What is found otherwise was left by a process that died: if the machine went on,
//! what it wrote last may be nowhere but in memory, so all of it is synced before it is believed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::disk;
use crate::error::{Error, explain};

/// Exclusive use of a data directory; dropping it gives the directory back.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    lock: File,
}

impl DataDir {
    /// Creates the directory where it is missing and takes it for this process.
    ///
    /// # Errors
    /// [`Error::ConfigDataDir`] when it cannot be created or written, or when another process
    /// holds it; the text names that process.
    pub fn open(path: impl AsRef<Path>) -> Result<DataDir, Error> {
        let path = path.as_ref();
        let refuse = |problem: String| Error::data_dir(path, problem);
        fs::create_dir_all(path)
            .map_err(|cause| refuse(format!("cannot create it: {}", explain(&cause))))?;
        let path = path
            .canonicalize()
            .map_err(|cause| refuse(format!("cannot resolve it: {}", explain(&cause))))?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join(LOCK_FILE))
            .map_err(|cause| refuse(format!("cannot write in it: {}", explain(&cause))))?;
        match lock_in_time(&lock) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(refuse(held_by(&mut lock))),
            Err(TryLockError::Error(cause)) => {
                return Err(refuse(format!("cannot lock it: {}", explain(&cause))));
            }
        }
        if is_left_by_the_dead(&mut lock) {
            disk::sync_file_system(&path)?;
        }
        write_holder(&mut lock)
            .map_err(|cause| refuse(format!("cannot write in it: {}", explain(&cause))))?;
        Ok(DataDir { path, lock })
    }

    /// The directory, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        // The next start takes longer where this fails.
        let _ = self.lock.set_len(0);
    }
}

/// A process that was killed holds its locks for a moment longer.
fn lock_in_time(lock: &File) -> Result<(), TryLockError> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                thread::sleep(LOCK_PAUSE);
            }
            outcome => return outcome,
        }
    }
}

fn held_by(lock: &mut File) -> String {
    let mut holder = String::new();
    let is_read = lock.read_to_string(&mut holder).is_ok();
    let process = holder.lines().next().filter(|process| is_read && !process.is_empty());
    let holder = process.map_or("a process".into(), |process| format!("process {process}"));
    format!("{holder} is using it; stop that process or choose another directory")
}

fn is_left_by_the_dead(lock: &mut File) -> bool {
    let mut holder = String::new();
    let is_read = lock.read_to_string(&mut holder).is_ok();
    let boot = holder.lines().nth(1).filter(|boot| is_read && !boot.is_empty());
    // After a power failure nothing is in memory.
    !(is_read && holder.is_empty() || boot.is_some_and(|boot| boot != this_boot()))
}

fn write_holder(lock: &mut File) -> std::io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}\n{}", std::process::id(), this_boot())
}

/// What tells the machine's boots apart; empty where the system does not say.
fn this_boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

const LOCK_FILE: &str = "beryl.lock";
const LOCK_PATIENCE: Duration = Duration::from_millis(500);
const LOCK_PAUSE: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Folder;

    #[test]
    fn a_second_holder_is_told_which_process_has_the_directory() {
        let folder = Folder::new();
        let held = DataDir::open(folder.path()).unwrap();
        let refused = DataDir::open(folder.path()).unwrap_err().to_string();
        let me = format!("process {} is using it", std::process::id());
        assert!(refused.contains(&me), "{refused}");
        drop(held);
        DataDir::open(folder.path()).unwrap();
    }

    #[test]
    fn what_a_dead_process_left_is_synced_before_it_is_believed() {
        let folder = Folder::new();
        let syncs = || crate::tests::kill::passed(disk::SYNC_FOUND);
        drop(DataDir::open(folder.path()).unwrap());
        drop(DataDir::open(folder.path()).unwrap());
        assert_eq!(syncs(), 0, "after an orderly end");
        let lock = folder.path().join(LOCK_FILE);
        fs::write(&lock, "7\nanother boot\n").unwrap();
        drop(DataDir::open(folder.path()).unwrap());
        assert_eq!(syncs(), 0, "after a power failure");
        for left in [format!("7\n{}\n", this_boot()), "7\n".into()] {
            fs::write(&lock, left).unwrap();
            let before = syncs();
            drop(DataDir::open(folder.path()).unwrap());
            assert_eq!(syncs(), before + 1);
        }
    }

    #[test]
    fn missing_folders_are_created() {
        let folder = Folder::new();
        let dir = DataDir::open(folder.path().join("a/b")).unwrap();
        assert!(dir.path().is_absolute() && dir.path().ends_with("a/b"));
    }

    #[test]
    fn a_file_in_the_way_is_explained() {
        let folder = Folder::new();
        fs::write(folder.path().join("file"), "x").unwrap();
        let refused = DataDir::open(folder.path().join("file/data")).unwrap_err().to_string();
        assert!(refused.contains("a part of the path is a file"), "{refused}");
    }

    #[test]
    fn the_holder_can_be_shared_between_threads() {
        fn check<T: Send + Sync>() {}
        check::<DataDir>();
    }
}
