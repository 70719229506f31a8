//! Database files by name: made, found blank, deleted, and their folders synced.
//!
//! A new file is one page that already says "WAL", which spares the syncs of converting it. It is
//! made durable with the first commit. Deletion unlinks the database first: that moment decides,
//! and side files without a database are removed before a new one takes their place.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::archive::archive_of;
use crate::disk::{self, DiskFile, Mode, folder_of, remove, sync_folder};
use crate::durability::Unsynced;
use crate::error::{Error, explain};
use crate::history::folder_of_history;

/// Erases a database: its file and side files. Silent when there is none.
///
/// When this returns, the deletion is on disk. A crash in between leaves the database whole or
/// gone. The database must not be open, other than through cursors that survived its close.
///
/// # Errors
/// [`Error::BrokenFile`] when a file cannot be removed or the folder not synced.
pub fn delete_database(path: &Path) -> Result<(), Error> {
    let mut found = remove(path)?;
    if found {
        // Side files replayed into a later database of this name would bring deleted data back.
        sync_folder(folder_of(path), SYNC_DELETED)?;
    }
    for suffix in SIDE_FILES {
        found |= remove(&side_file(path, suffix))?;
    }
    forget_history(path)?;
    if found { sync_folder(folder_of(path), SYNC_SIDE_FILES) } else { Ok(()) }
}

/// Removes what is known of a database's past, in the archive too.
fn forget_history(path: &Path) -> Result<(), Error> {
    let folder = folder_of_history(path);
    if let Some(archive) = archive_of(path)
        && disk::list(&folder).is_ok_and(|names| !names.is_empty())
    {
        archive.forget(path, None);
    }
    disk::remove_folder(&folder)
}

/// Copies a database with what its WAL holds; silent when there is none. When this returns, the
/// copy is on disk. Shares blocks where the file system can.
///
/// Nothing may write to the database meanwhile; what is not committed does not count in the copy.
/// There must be no database at `to`; after an error there may be a part of one.
///
/// # Errors
/// [`Error::BrokenFile`] when a file cannot be copied.
pub fn copy_database(from: &Path, to: &Path) -> Result<(), Error> {
    // The WAL first: found without its database, it would be removed.
    for (from, to) in [(&*wal_of(from), &*wal_of(to)), (from, to)] {
        let fail = |cause: io::Error| Error::file(to, "copy a database there", &cause);
        match disk::copy(from, to) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => {}
            copied => copied.map_err(fail)?.sync("make the copy of a database durable")?,
        }
    }
    sync_folder(folder_of(to), "make the names of a copy durable")
}

/// Makes sure that a database file is there, and says what of it may not be on disk.
pub(crate) fn create_where_missing(path: &Path) -> Result<Unsynced, Error> {
    let folder = folder_of(path);
    let refuse = |cause: io::Error| Error::database(path, explain(&cause));
    let found = find(path).map_err(refuse)?;
    let first_page = found != Found::Pages;
    let mut unsynced =
        Unsynced { folders: vec![folder.to_path_buf()], first_page, names: Vec::new() };
    if found != Found::Nothing {
        return Ok(unsynced);
    }
    unsynced.folders.extend(disk::create_folders(folder).map_err(refuse)?);
    delete_database(path)?;
    let file = DiskFile::open(path, Mode::CreateNew).map_err(refuse)?;
    file.write_at(&blank_database(), 0).map_err(refuse)?;
    Ok(unsynced)
}

/// What lies where a database is to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// No file, or one that a crash left before its first page was durable.
    Nothing,
    /// A first page that no checkpoint followed yet.
    FirstPage,
    /// More: whoever wrote it made the first page durable with it.
    Pages,
}

/// The `-wal` file of a database.
pub(crate) fn wal_of(path: &Path) -> PathBuf {
    side_file(path, "-wal")
}

/// True for the file of a database that nothing was written to.
pub(crate) fn has_nothing(database: &DiskFile) -> io::Result<bool> {
    Ok(database.bytes()? == PAGE_BYTES as u64 && database.read_all()? == blank_database())
}

/// True when the file holds commits that are not in the database yet.
pub(crate) fn holds_commits(wal: &Path) -> io::Result<bool> {
    let file = match DiskFile::open(wal, Mode::Read) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    let mut header = [0; 4];
    Ok(file.read_at(&mut header, 0)? == header.len() && header != [0; 4])
}

fn find(path: &Path) -> io::Result<Found> {
    let file = match DiskFile::open(path, Mode::Read) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
        opened => opened?,
    };
    if file.bytes()? > PAGE_BYTES as u64 {
        return Ok(Found::Pages);
    }
    // Any part of the first page may be there, and nothing else was ever written.
    let (content, whole) = (file.read_all()?, blank_database());
    let is_part = content.iter().zip(&whole).all(|(byte, written)| *byte == 0 || byte == written);
    Ok(if is_part && content != whole { Found::Nothing } else { Found::FirstPage })
}

/// What SQLite writes for a new database, with both format versions set to 2 (WAL).
pub(crate) fn blank_database() -> Vec<u8> {
    let mut page = vec![0; PAGE_BYTES];
    page[..16].copy_from_slice(b"SQLite format 3\0");
    page[16..18].copy_from_slice(&(PAGE_BYTES as u16).to_be_bytes());
    page[18..24].copy_from_slice(&[2, 2, 0, 64, 32, 32]);
    // The database has one page: an empty leaf of the schema table whose cells would end the page.
    page[31] = 1;
    page[68..72].copy_from_slice(&APPLICATION_ID.to_be_bytes());
    page[100] = 0x0d;
    page[105..107].copy_from_slice(&(PAGE_BYTES as u16).to_be_bytes());
    page
}

pub(crate) fn side_file(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// "Beryl", as far as it fits: files without it were made elsewhere and are checked first.
pub(crate) const APPLICATION_ID: i32 = i32::from_be_bytes(*b"Bery");

/// SQLite's default page size; `databaseSize` of the platform counts in it.
pub(crate) const PAGE_BYTES: usize = 4096;

const SIDE_FILES: [&str; 5] = ["-wal", "-shm", "-journal", "-restore", "-restore-wal"];

pub(crate) const SYNC_DELETED: &str = "make its deletion durable";
const SYNC_SIDE_FILES: &str = "make the deletion of its side files durable";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::tests::Folder;

    #[test]
    fn a_file_whose_first_page_was_never_durable_starts_anew() {
        let folder = Folder::new();
        let path = folder.path().join("x.sqlite");
        let torn = [&blank_database()[..90], &[0; PAGE_BYTES - 90]].concat();
        for blank in [&[][..], &[0; 10], &[0; PAGE_BYTES], &torn] {
            fs::write(&path, blank).unwrap();
            create_where_missing(&path).unwrap();
            assert_eq!(fs::read(&path).unwrap(), blank_database());
        }
        fs::write(&path, b"not empty").unwrap();
        create_where_missing(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"not empty");
    }

    #[test]
    fn new_folders_are_reported_with_their_parents() {
        let folder = Folder::new();
        let changed = create_where_missing(&folder.path().join("a/b/x.sqlite")).unwrap().folders;
        let expect = ["a/b", "a", ""].map(|inside| folder.path().join(inside));
        assert_eq!(changed, expect.map(|path| path.components().collect::<PathBuf>()));
    }

    #[test]
    fn deleting_removes_side_files_and_is_silent_without_any() {
        let folder = Folder::new();
        let path = folder.path().join("x.sqlite");
        delete_database(&path).unwrap();
        fs::write(&path, "").unwrap();
        fs::write(wal_of(&path), "").unwrap();
        delete_database(&path).unwrap();
        assert!(!path.exists() && !wal_of(&path).exists());
    }
}
