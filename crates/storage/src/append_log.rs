//! A small file that only grows: magic bytes, then records the caller formats.
//!
//! An append returns when it is on disk. After a failed write the file's tail is unknown, so the
//! log refuses further appends; opening it again shows what is there. Lengths and contents exclude
//! the magic bytes. The folder index of `spec/workers.md` FA-42 is kept in one.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::database_file::sync_folder;
use crate::error::Error;

/// An open append-only file. One owner at a time.
#[derive(Debug)]
pub struct AppendLog {
    file: File,
    path: PathBuf,
    magic_bytes: u64,
    failed: Option<Error>,
}

impl AppendLog {
    /// Opens or creates the file and returns its content behind the magic bytes.
    ///
    /// A file shorter than the magic is what a crash during creation leaves; it starts anew.
    ///
    /// # Errors
    /// [`Error::BrokenFile`] when it cannot be read or written, or begins with other bytes.
    pub fn open(path: &Path, magic: &[u8]) -> Result<(AppendLog, Vec<u8>), Error> {
        let fail = |doing: &str| {
            let doing = doing.to_owned();
            move |cause: io::Error| Error::file(path, &doing, &cause)
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(fail("open it"))?;
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(fail("read it"))?;
        if content.len() < magic.len() {
            write_magic(&mut file, magic).map_err(fail("start it"))?;
            sync_folder(path.parent().unwrap_or(Path::new(".")))?;
            content = magic.to_vec();
        }
        if !content.starts_with(magic) {
            let cause = io::Error::other("it is a file of another kind; move it away");
            return Err(Error::file(path, "use it", &cause));
        }
        content.drain(..magic.len());
        let magic_bytes = magic.len() as u64;
        Ok((AppendLog { file, path: path.into(), magic_bytes, failed: None }, content))
    }

    /// Writes `record` at the end and returns when it is on disk.
    ///
    /// # Errors
    /// [`Error::BrokenFile`]; from then on every call returns it.
    pub fn append(&mut self, record: &[u8]) -> Result<(), Error> {
        self.change("append to it", |file, _| {
            file.seek(SeekFrom::End(0))?;
            file.write_all(record)
        })
    }

    /// Cuts the content down to `length_bytes`, and returns when that is on disk.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn truncate(&mut self, length_bytes: u64) -> Result<(), Error> {
        self.change("truncate it", |file, magic_bytes| file.set_len(magic_bytes + length_bytes))
    }

    fn change(
        &mut self,
        doing: &str,
        write: impl FnOnce(&mut File, u64) -> io::Result<()>,
    ) -> Result<(), Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let written = write(&mut self.file, self.magic_bytes).and_then(|()| self.file.sync_data());
        written.map_err(|cause| {
            let error = Error::file(&self.path, doing, &cause);
            self.failed = Some(error.clone());
            error
        })
    }
}

fn write_magic(file: &mut File, magic: &[u8]) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(magic)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Folder;

    const MAGIC: &[u8] = b"12345678";

    #[test]
    fn records_come_back_in_order() {
        let folder = Folder::new();
        let path = folder.path().join("x.facets");
        let (mut log, content) = AppendLog::open(&path, MAGIC).unwrap();
        assert!(content.is_empty());
        log.append(b"one").unwrap();
        log.append(b"two").unwrap();
        let (mut log, content) = AppendLog::open(&path, MAGIC).unwrap();
        assert_eq!(content, b"onetwo");
        log.truncate(3).unwrap();
        log.append(b"3").unwrap();
        assert_eq!(AppendLog::open(&path, MAGIC).unwrap().1, b"one3");
    }

    #[test]
    fn a_torn_start_begins_anew() {
        let folder = Folder::new();
        let path = folder.path().join("x");
        std::fs::write(&path, &MAGIC[..3]).unwrap();
        assert!(AppendLog::open(&path, MAGIC).unwrap().1.is_empty());
        assert_eq!(std::fs::read(&path).unwrap(), MAGIC);
    }

    #[test]
    fn a_file_of_another_kind_is_refused() {
        let folder = Folder::new();
        let path = folder.path().join("x");
        std::fs::write(&path, b"something else").unwrap();
        let refused = AppendLog::open(&path, MAGIC).unwrap_err().to_string();
        assert!(refused.contains("another kind"), "{refused}");
    }

    #[test]
    fn a_failed_append_stops_the_log() {
        let mut log = AppendLog {
            file: OpenOptions::new().write(true).open("/dev/full").unwrap(),
            path: "full".into(),
            magic_bytes: 0,
            failed: None,
        };
        let first = log.append(b"x").unwrap_err();
        assert!(first.to_string().contains("cannot append to it"), "{first}");
        assert_eq!(log.truncate(0).unwrap_err(), first);
    }
}
