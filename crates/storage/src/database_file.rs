//! Database files by name: made, found blank, deleted, and their folders synced.
//!
//! A new file is one page that already says "WAL", which spares the syncs of converting it. It is
//! made durable with the first commit. Deletion unlinks the database first: that moment decides,
//! and side files without a database are removed before a new one takes their place.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, explain};

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
        sync_folder(folder_of(path))?;
    }
    for suffix in SIDE_FILES {
        found |= remove(&side_file(path, suffix))?;
    }
    if found { sync_folder(folder_of(path)) } else { Ok(()) }
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
    let copy = |from: &Path, to: &Path| -> io::Result<()> {
        match fs::copy(from, to) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(()),
            copied => copied?,
        };
        File::open(to)?.sync_all()
    };
    // The WAL first: found without its database, it would be removed.
    copy(&wal_of(from), &wal_of(to))
        .and_then(|()| copy(from, to))
        .map_err(|cause| Error::file(to, "copy a database there", &cause))?;
    sync_folder(folder_of(to))
}

/// Makes sure that a database file is there, and returns the folders whose entries changed.
pub(crate) fn create_where_missing(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let folder = folder_of(path);
    let mut changed = vec![folder.to_path_buf()];
    match is_blank(path) {
        Ok(false) => return Ok(changed),
        Ok(true) => {}
        Err(cause) => return Err(Error::database(path, explain(&cause))),
    }
    let missing = folder.ancestors().take_while(|folder| !folder.exists());
    changed.extend(missing.map(|folder| folder_of(folder).to_path_buf()));
    let refuse = |cause: io::Error| Error::database(path, explain(&cause));
    fs::create_dir_all(folder).map_err(refuse)?;
    delete_database(path)?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(refuse)?;
    file.write_all(&blank_database()).map_err(refuse)?;
    Ok(changed)
}

/// The `-wal` file of a database.
pub(crate) fn wal_of(path: &Path) -> PathBuf {
    side_file(path, "-wal")
}

/// Makes the entries of a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), Error> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|cause| Error::file(folder, "sync the folder", &cause))
}

/// True when there is no file, or one a crash left before its first page was written.
fn is_blank(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(true),
        opened => opened?,
    };
    if file.metadata()?.len() > PAGE_BYTES as u64 {
        return Ok(false);
    }
    let mut content = Vec::new();
    file.take(PAGE_BYTES as u64).read_to_end(&mut content)?;
    Ok(content.iter().all(|byte| *byte == 0))
}

/// What SQLite writes for a new database, with both format versions set to 2 (WAL).
fn blank_database() -> Vec<u8> {
    let mut page = vec![0; PAGE_BYTES];
    page[..16].copy_from_slice(b"SQLite format 3\0");
    page[16..18].copy_from_slice(&(PAGE_BYTES as u16).to_be_bytes());
    page[18..24].copy_from_slice(&[2, 2, 0, 64, 32, 32]);
    // The database has one page: an empty leaf of the schema table whose cells would end the page.
    page[31] = 1;
    page[100] = 0x0d;
    page[105..107].copy_from_slice(&(PAGE_BYTES as u16).to_be_bytes());
    page
}

fn remove(path: &Path) -> Result<bool, Error> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(Error::file(path, "delete it", &cause)),
    }
}

fn side_file(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// SQLite's default page size; `databaseSize` of the platform counts in it.
const PAGE_BYTES: usize = 4096;

const SIDE_FILES: [&str; 3] = ["-wal", "-shm", "-journal"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Folder;

    #[test]
    fn a_file_of_zeros_starts_anew() {
        let folder = Folder::new();
        let path = folder.path().join("x.sqlite");
        for blank in [&[][..], &[0; 10], &[0; PAGE_BYTES]] {
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
        let changed = create_where_missing(&folder.path().join("a/b/x.sqlite")).unwrap();
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
