//! A small file that only grows: magic bytes, then records the caller formats.
//!
//! An append returns when it is on disk. After a failed write the file's tail is unknown, so the
//! log refuses further appends; opening it again shows what is there. Lengths and contents exclude
//! the magic bytes. The folder index of `spec/workers.md` FA-42 is kept in one.

use std::io;
use std::path::Path;

use crate::disk::{DiskFile, Mode, folder_of, sync_folder};
use crate::error::Error;

/// An open append-only file. One owner at a time.
#[derive(Debug)]
pub struct AppendLog {
    file: DiskFile,
    magic_bytes: u64,
    // Behind the magic.
    length_bytes: u64,
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
        let file = DiskFile::open(path, Mode::Create).map_err(fail("open it"))?;
        let mut content = file.read_all().map_err(fail("read it"))?;
        if content.len() < magic.len() {
            file.set_bytes(0).map_err(fail("start it"))?;
            file.write_at(magic, 0).map_err(fail("start it"))?;
            file.sync("make its start durable")?;
            sync_folder(folder_of(path), "make the name of an index durable")?;
            content = magic.to_vec();
        }
        if !content.starts_with(magic) {
            let cause = io::Error::other("it is a file of another kind; move it away");
            return Err(Error::file(path, "use it", &cause));
        }
        content.drain(..magic.len());
        let (magic_bytes, length_bytes) = (magic.len() as u64, content.len() as u64);
        Ok((AppendLog { file, magic_bytes, length_bytes, failed: None }, content))
    }

    /// Writes `record` at the end and returns when it is on disk.
    ///
    /// # Errors
    /// [`Error::BrokenFile`]; from then on every call returns it.
    pub fn append(&mut self, record: &[u8]) -> Result<(), Error> {
        let end = self.magic_bytes + self.length_bytes;
        self.change("append to it", |file| file.write_at(record, end))?;
        self.length_bytes += record.len() as u64;
        Ok(())
    }

    /// Cuts the content down to `length_bytes`, and returns when that is on disk.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn truncate(&mut self, length_bytes: u64) -> Result<(), Error> {
        let bytes = self.magic_bytes + length_bytes;
        self.change("truncate it", |file| file.set_bytes(bytes))?;
        self.length_bytes = length_bytes;
        Ok(())
    }

    fn change(
        &mut self,
        doing: &'static str,
        write: impl FnOnce(&DiskFile) -> io::Result<()>,
    ) -> Result<(), Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let written =
            write(&self.file).map_err(|cause| Error::file(self.file.path(), doing, &cause));
        written.and_then(|()| self.file.sync(doing)).inspect_err(|error| {
            self.failed = Some(error.clone());
        })
    }
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
        let file = DiskFile::open(Path::new("/dev/full"), Mode::ReadWrite).unwrap();
        let mut log = AppendLog { file, magic_bytes: 0, length_bytes: 0, failed: None };
        let first = log.append(b"x").unwrap_err();
        assert!(first.to_string().contains("cannot append to it"), "{first}");
        assert_eq!(log.truncate(0).unwrap_err(), first);
    }
}
