//! New names in a folder made durable for many databases at a time.
//!
//! Syncing a folder takes the file system far longer than syncing a small file, and one sync makes
//! all names durable that were there when it began. So syncs of a folder are numbered, and whoever
//! made a name is content with any sync that began afterwards. A folder has one sync at a time;
//! those that wait for it then share the next.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::disk;
use crate::error::Error;

/// Names that are in a folder already, and that some sync must make durable.
pub(crate) struct NewNames {
    folder: PathBuf,
    syncs: Arc<Syncs>,
    /// Syncs that had begun before: they may have missed the names.
    missed: u64,
}

/// The syncs of one folder, numbered from 1.
#[derive(Default)]
struct Syncs {
    begun: AtomicU64,
    ended: Mutex<Ended>,
}

#[derive(Default)]
struct Ended {
    /// The newest that succeeded.
    succeeded: u64,
    /// The newest that failed: what it should have made durable may be lost for good.
    failed: Option<(u64, Error)>,
}

impl NewNames {
    /// The names that `folder` has now.
    pub(crate) fn of(folder: &Path) -> NewNames {
        let syncs = syncs_of(folder);
        let missed = syncs.begun.load(Ordering::SeqCst);
        NewNames { folder: folder.into(), syncs, missed }
    }

    /// Syncs the folder unless somebody else did so meanwhile. Blocks.
    pub(crate) fn make_durable(&self, doing: &'static str) -> Result<(), Error> {
        let mut ended = lock(&self.syncs.ended);
        if let Some((_, error)) = ended.failed.as_ref().filter(|(number, _)| *number > self.missed)
        {
            return Err(error.clone());
        }
        // A folder that is gone took its files with it.
        if ended.succeeded > self.missed || !disk::folder_exists(&self.folder) {
            return Ok(());
        }
        let number = self.syncs.begun.fetch_add(1, Ordering::SeqCst) + 1;
        match disk::sync_folder(&self.folder, doing) {
            Ok(()) => ended.succeeded = number,
            Err(error) => ended.failed = Some((number, error.clone())),
        }
        match &ended.failed {
            Some((failed, error)) if *failed == number => Err(error.clone()),
            _ => Ok(()),
        }
    }
}

/// What is known of a folder as long as somebody waits for it.
fn syncs_of(folder: &Path) -> Arc<Syncs> {
    static FOLDERS: Mutex<Option<HashMap<PathBuf, Weak<Syncs>>>> = Mutex::new(None);
    let mut folders = lock(&FOLDERS);
    let folders = folders.get_or_insert_default();
    if let Some(syncs) = folders.get(folder).and_then(Weak::upgrade) {
        return syncs;
    }
    folders.retain(|_, syncs| syncs.strong_count() > 0);
    let syncs = Arc::default();
    folders.insert(folder.into(), Arc::downgrade(&syncs));
    syncs
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::tests::Folder;

    fn begun(names: &NewNames) -> u64 {
        names.syncs.begun.load(Ordering::SeqCst)
    }

    #[test]
    fn names_share_a_sync_that_began_after_them_and_no_other() {
        let folder = Folder::new();
        let [first, second] = [NewNames::of(folder.path()), NewNames::of(folder.path())];
        first.make_durable("sync").unwrap();
        assert_eq!(begun(&first), 1);
        second.make_durable("sync").unwrap();
        assert_eq!(begun(&second), 1, "the sync was after both");
        let third = NewNames::of(folder.path());
        third.make_durable("sync").unwrap();
        assert_eq!(begun(&third), 2, "the sync was before it");
    }

    #[test]
    fn a_sync_that_failed_counts_for_all_it_was_for() {
        let folder = Folder::new();
        let [first, second] = [NewNames::of(folder.path()), NewNames::of(folder.path())];
        let number = first.syncs.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let error = Error::Bug { place: "a test" };
        lock(&first.syncs.ended).failed = Some((number, error));
        let third = NewNames::of(folder.path());
        third.make_durable("sync").unwrap();
        assert!(first.make_durable("sync").is_err() && second.make_durable("sync").is_err());
    }

    #[test]
    fn a_folder_that_is_gone_needs_no_sync() {
        let folder = Folder::new();
        let inside = folder.path().join("inside");
        fs::create_dir(&inside).unwrap();
        let names = NewNames::of(&inside);
        fs::remove_dir(&inside).unwrap();
        names.make_durable("sync").unwrap();
        assert_eq!(begun(&names), 0);
    }
}
