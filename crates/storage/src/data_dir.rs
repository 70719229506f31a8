//! The data directory: created, checked to be writable, and held by one process.
//!
//! The lock is an `flock` on `beryl.lock`, which the kernel drops with the process, however it
//! ends. The file's content is the holder's process id and only informs.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, explain};

/// Exclusive use of a data directory; dropping it gives the directory back.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    // Held for its lock.
    _lock: File,
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
        write_holder(&mut lock)
            .map_err(|cause| refuse(format!("cannot write in it: {}", explain(&cause))))?;
        Ok(DataDir { path, _lock: lock })
    }

    /// The directory, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
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
    let known = lock.read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
    let holder = if known { format!("process {}", holder.trim()) } else { "a process".into() };
    format!("{holder} is using it; stop that process or choose another directory")
}

fn write_holder(lock: &mut File) -> std::io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
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
