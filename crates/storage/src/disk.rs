//! The files this crate touches besides SQLite: every call that decides what a crash leaves.
//!
//! Each call says what it does in words for people; tests know it by them too, and put a simulated
//! disk below paths of their own, which loses, reorders and tears what was not synced. Names are
//! never followed through symbolic links: whoever may write in the data directory must not lead the
//! server elsewhere.

use std::ffi::CStr;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
#[cfg(test)]
use std::panic::Location;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::lost_sync;
#[cfg(test)]
use crate::tests::sim::SimFile;

/// An open file.
pub(crate) struct DiskFile {
    path: PathBuf,
    handle: Handle,
}

enum Handle {
    Host(File),
    #[cfg(test)]
    Sim(SimFile),
}

impl fmt::Debug for DiskFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Read,
    ReadWrite,
    /// Created where it is missing.
    Create,
    /// Must not exist.
    CreateNew,
}

impl DiskFile {
    /// Opens a file.
    pub(crate) fn open(path: &Path, mode: Mode) -> io::Result<DiskFile> {
        #[cfg(test)]
        if let Some(disk) = crate::tests::sim::disk_of(path) {
            let handle = Handle::Sim(disk.open(path, mode)?);
            return Ok(DiskFile { path: path.into(), handle });
        }
        let file = OpenOptions::new()
            .read(true)
            .write(mode != Mode::Read)
            .create(mode == Mode::Create)
            .create_new(mode == Mode::CreateNew)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path)?;
        Ok(DiskFile { path: path.into(), handle: Handle::Host(file) })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the content durable, and the size with it. Tests tell syncs apart by their callers.
    #[track_caller]
    pub(crate) fn sync(&self, doing: &'static str) -> Result<(), Error> {
        step(doing);
        let synced = match &self.handle {
            Handle::Host(file) => file.sync_data(),
            #[cfg(test)]
            Handle::Sim(file) => file.sync(Location::caller()),
        };
        step(doing);
        synced.map_err(|cause| lost(&self.path, doing, &cause))
    }

    /// Writes the first `bytes` of the file once more, as they are. A sync that failed may have
    /// left them in memory as if they were on disk.
    pub(crate) fn write_again(&self, bytes: u64) -> io::Result<()> {
        let mut buffer = vec![0; usize::try_from(bytes.min(1 << 20)).unwrap_or(1 << 20)];
        let mut at = 0;
        while at < bytes {
            let rest = usize::try_from(bytes - at).unwrap_or(usize::MAX).min(buffer.len());
            let found = self.read_at(&mut buffer[..rest], at)?;
            if found == 0 {
                break;
            }
            self.write_at(&buffer[..found], at)?;
            at += found as u64;
        }
        Ok(())
    }

    pub(crate) fn bytes(&self) -> io::Result<u64> {
        match &self.handle {
            Handle::Host(file) => Ok(file.metadata()?.len()),
            #[cfg(test)]
            Handle::Sim(file) => file.bytes(),
        }
    }

    /// Reads at a place until the buffer is full or the file ends; returns how much there was.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut found = 0;
        while found < buffer.len() {
            let rest = &mut buffer[found..];
            let part = match &self.handle {
                Handle::Host(file) => file.read_at(rest, offset + found as u64),
                #[cfg(test)]
                Handle::Sim(file) => file.read_at(rest, offset + found as u64),
            };
            match part {
                Ok(0) => break,
                Ok(part) => found += part,
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                Err(cause) => return Err(cause),
            }
        }
        Ok(found)
    }

    pub(crate) fn read_all(&self) -> io::Result<Vec<u8>> {
        let mut content = vec![0; usize::try_from(self.bytes()?).unwrap_or(usize::MAX)];
        let found = self.read_at(&mut content, 0)?;
        content.truncate(found);
        Ok(content)
    }

    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match &self.handle {
            Handle::Host(file) => file.write_all_at(bytes, offset),
            #[cfg(test)]
            Handle::Sim(file) => file.write_at(bytes, offset),
        }
    }

    pub(crate) fn set_bytes(&self, length: u64) -> io::Result<()> {
        match &self.handle {
            Handle::Host(file) => file.set_len(length),
            #[cfg(test)]
            Handle::Sim(file) => file.set_bytes(length),
        }
    }
}

/// The SQLite file system that a path belongs to. `unix-none` takes no file locks: one handle per
/// file is the callers' rule.
pub(crate) fn vfs_of(path: &Path) -> &'static CStr {
    #[cfg(test)]
    if crate::tests::sim::disk_of(path).is_some() {
        return crate::tests::sim::VFS;
    }
    let _ = path;
    c"unix-none"
}

/// Makes the entries of a folder durable.
#[track_caller]
pub(crate) fn sync_folder(folder: &Path, doing: &'static str) -> Result<(), Error> {
    step(doing);
    #[cfg(test)]
    if let Some(disk) = crate::tests::sim::disk_of(folder) {
        let synced = disk.sync_folder(folder, Location::caller());
        return synced.map_err(|cause| Error::file(folder, doing, &cause));
    }
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    step(doing);
    synced.map_err(|cause| lost(folder, doing, &cause))
}

/// Makes everything durable that is in the file system of a folder.
#[track_caller]
pub(crate) fn sync_file_system(folder: &Path) -> Result<(), Error> {
    step(SYNC_FOUND);
    #[cfg(test)]
    if let Some(disk) = crate::tests::sim::disk_of(folder) {
        let synced = disk.sync_all(Location::caller());
        return synced.map_err(|cause| Error::file(folder, SYNC_FOUND, &cause));
    }
    let synced = File::open(folder).and_then(|folder| {
        // SAFETY: the descriptor is open.
        match unsafe { libc::syncfs(folder.as_raw_fd()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    });
    synced.map_err(|cause| lost(folder, SYNC_FOUND, &cause))
}

/// The error of a sync that failed.
fn lost(path: &Path, doing: &str, cause: &io::Error) -> Error {
    let error = Error::file(path, doing, cause);
    lost_sync::report(&error, cause);
    error
}

/// Removes a file; false when there was none.
pub(crate) fn remove(path: &Path) -> Result<bool, Error> {
    step("delete it");
    #[cfg(test)]
    if let Some(disk) = crate::tests::sim::disk_of(path) {
        return disk.remove(path).map_err(|cause| Error::file(path, "delete it", &cause));
    }
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(Error::file(path, "delete it", &cause)),
    }
}

/// Gives a file another name, replacing what had it.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    step("rename it");
    #[cfg(test)]
    if let Some(disk) = crate::tests::sim::disk_of(from) {
        return disk.rename(from, to).map_err(|cause| Error::file(from, "rename it", &cause));
    }
    fs::rename(from, to).map_err(|cause| Error::file(from, "rename it", &cause))
}

/// Copies a file, sharing its blocks where the file system can; the copy is not synced.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<DiskFile> {
    #[cfg(test)]
    if crate::tests::sim::disk_of(from).is_some() {
        let content = DiskFile::open(from, Mode::Read)?.read_all()?;
        let copy = DiskFile::open(to, Mode::Create)?;
        copy.set_bytes(0)?;
        return copy.write_at(&content, 0).map(|()| copy);
    }
    fs::copy(from, to)?;
    DiskFile::open(to, Mode::ReadWrite)
}

/// The names of a folder's files; none where there is no folder.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<String>> {
    #[cfg(test)]
    if let Some(disk) = crate::tests::sim::disk_of(folder) {
        return disk.list(folder);
    }
    let entries = match fs::read_dir(folder) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// Removes a folder with its files; silent where there is none.
pub(crate) fn remove_folder(folder: &Path) -> Result<(), Error> {
    let fail = |cause: io::Error| Error::file(folder, "delete it", &cause);
    for name in list(folder).map_err(fail)? {
        remove(&folder.join(name))?;
    }
    #[cfg(test)]
    if crate::tests::sim::disk_of(folder).is_some() {
        return Ok(());
    }
    match fs::remove_dir(folder) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => Err(fail(cause)),
        _ => Ok(()),
    }
}

/// Reads a file to its end, to see whether the disk can; one that is not there can be read.
pub(crate) fn read_through(path: &Path) -> io::Result<()> {
    let file = match DiskFile::open(path, Mode::Read) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let mut buffer = vec![0; 1 << 20];
    let mut at = 0;
    loop {
        match file.read_at(&mut buffer, at)? {
            0 => return Ok(()),
            found => at += found as u64,
        }
    }
}

/// How many bytes a file has; `None` without one.
pub(crate) fn bytes_of(path: &Path) -> io::Result<Option<u64>> {
    match DiskFile::open(path, Mode::Read) {
        Ok(file) => file.bytes().map(Some),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(cause),
    }
}

/// Makes a folder with its parents; returns the folders that got a new entry.
pub(crate) fn create_folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    #[cfg(test)]
    if crate::tests::sim::disk_of(folder).is_some() {
        return Ok(Vec::new());
    }
    let missing = folder.ancestors().take_while(|folder| !folder.exists());
    let changed = missing.map(|folder| folder_of(folder).to_path_buf()).collect();
    fs::create_dir_all(folder)?;
    Ok(changed)
}

pub(crate) fn folder_exists(folder: &Path) -> bool {
    #[cfg(test)]
    if crate::tests::sim::disk_of(folder).is_some() {
        return true;
    }
    folder.exists()
}

pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

pub(crate) const SYNC_FOUND: &str = "make durable what a dead process left";

/// A place where tests end the process.
pub(crate) fn step(name: &'static str) {
    #[cfg(test)]
    crate::tests::kill::step(name);
    let _ = name;
}
