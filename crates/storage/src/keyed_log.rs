//! A small durable map in one append-only file, shared by all threads: the newest record of a key
//! counts.
//!
//! Format: 8 bytes magic, then records of `u32 length, u32 CRC-32, payload`, little-endian; a
//! payload is `u16 key length, key, value`, and a record without value erases its key. Records
//! are written at once and synced by a thread of the log's own, one sync for all that wait. The
//! file is written anew, and renamed into place, when most of it is out of date. A file that is
//! missing, torn or damaged opens as `None`: whoever owns the facts writes it anew.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::disk::{self, DiskFile, Mode, folder_of, sync_folder};
use crate::error::Error;

/// The open log. One per file.
pub struct KeyedLog {
    shared: Arc<Shared>,
    syncing: Option<JoinHandle<()>>,
}

/// What is called, on the log's thread, once a record is on disk. It must not block.
pub type OnSynced = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// What a log holds.
pub type Entries = HashMap<Box<[u8]>, Box<[u8]>>;

struct Shared {
    path: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    file: Arc<DiskFile>,
    entries: Entries,
    /// Bytes of the file, and those of them that a file written anew would have.
    bytes: u64,
    live_bytes: u64,
    waiting: Vec<OnSynced>,
    failed: Option<Error>,
    closing: bool,
}

impl KeyedLog {
    /// Opens a log that is whole; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::BrokenFile`] when the file is there and cannot be used.
    pub fn open(path: &Path) -> Result<Option<KeyedLog>, Error> {
        let fail = |cause: io::Error| Error::file(path, "open it", &cause);
        let file = match DiskFile::open(path, Mode::ReadWrite) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(fail)?,
        };
        let content = file.read_all().map_err(fail)?;
        let Some(entries) = parse(&content) else { return Ok(None) };
        KeyedLog::start(path, file, content.len() as u64, entries).map(Some)
    }

    /// Writes a new log in place of whatever is there; when it returns, all of it is on disk.
    ///
    /// # Errors
    /// [`Error::BrokenFile`] when it cannot be written.
    pub fn create(path: &Path, entries: Entries) -> Result<KeyedLog, Error> {
        let (file, bytes) = write_anew(path, &entries)?;
        KeyedLog::start(path, file, bytes, entries)
    }

    fn start(path: &Path, file: DiskFile, bytes: u64, entries: Entries) -> Result<KeyedLog, Error> {
        let live_bytes = entries.iter().map(|(key, value)| record_bytes(key, value)).sum();
        let state = State {
            file: Arc::new(file),
            entries,
            bytes,
            live_bytes,
            waiting: Vec::new(),
            failed: None,
            closing: false,
        };
        let shared = Arc::new(Shared {
            path: path.into(),
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let worker = Arc::clone(&shared);
        let syncing = thread::Builder::new()
            .name("alarm-index".into())
            .spawn(move || worker.work())
            .map_err(|cause| Error::ConfigThreads { problem: cause.to_string().into() })?;
        Ok(KeyedLog { shared, syncing: Some(syncing) })
    }

    /// Calls `f` for every entry, in no order.
    pub fn each(&self, mut f: impl FnMut(&[u8], &[u8])) {
        let state = self.shared.lock();
        state.entries.iter().for_each(|(key, value)| f(key, value));
    }

    /// Looks at the value of a key.
    pub fn find<T>(&self, key: &[u8], read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        self.shared.lock().entries.get(key).map(|value| read(value))
    }

    /// Sets a key and reports when that is on disk; an empty value erases the key.
    pub fn set_durably(&self, key: &[u8], value: &[u8], on_synced: OnSynced) {
        let mut state = self.shared.lock();
        if let Err(error) = self.shared.append(&mut state, key, value) {
            drop(state);
            return on_synced(Err(error));
        }
        state.waiting.push(on_synced);
        drop(state);
        self.shared.changed.notify_one();
    }

    /// Sets a key without asking for a sync: after a crash the older value may be back.
    ///
    /// # Errors
    /// [`Error::BrokenFile`] when the log cannot be written; from then on every call fails.
    pub fn set(&self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let mut state = self.shared.lock();
        self.shared.append(&mut state, key, value)
    }
}

impl Drop for KeyedLog {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_all();
        if self.syncing.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the alarm index panicked");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, state: &mut State, key: &[u8], value: &[u8]) -> Result<(), Error> {
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        let old = state.entries.get(key);
        if old.map_or(value.is_empty(), |old| **old == *value) {
            return Ok(());
        }
        let record = record(key, value);
        if let Err(cause) = state.file.write_at(&record, state.bytes) {
            let error = Error::file(&self.path, "append to it", &cause);
            return Err(state.fail(error));
        }
        let old_bytes = old.map_or(0, |old| record_bytes(key, old));
        state.bytes += record.len() as u64;
        state.live_bytes -= old_bytes;
        if value.is_empty() {
            state.entries.remove(key);
        } else {
            state.live_bytes += record.len() as u64;
            state.entries.insert(key.into(), value.into());
        }
        if state.bytes > DEAD_BYTES_MAX + 2 * state.live_bytes {
            let (file, bytes) = write_anew(&self.path, &state.entries)
                .inspect_err(|error| state.failed = Some(error.clone()))?;
            (state.file, state.bytes) = (Arc::new(file), bytes);
        }
        Ok(())
    }

    fn work(&self) {
        let mut state = self.lock();
        loop {
            if state.waiting.is_empty() {
                if state.closing {
                    return;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let (file, waiting) = (Arc::clone(&state.file), std::mem::take(&mut state.waiting));
            drop(state);
            // A file that was replaced meanwhile was synced as a whole before.
            let synced = file.sync("make its records durable");
            state = self.lock();
            let outcome = match (&state.failed, synced) {
                (Some(error), _) => Err(error.clone()),
                (None, Ok(())) => Ok(()),
                (None, Err(error)) => Err(state.fail(error)),
            };
            drop(state);
            waiting.into_iter().for_each(|on_synced| on_synced(outcome.clone()));
            state = self.lock();
        }
    }
}

impl State {
    /// After a failed write or sync the file's tail is unknown.
    fn fail(&mut self, error: Error) -> Error {
        self.failed.get_or_insert(error).clone()
    }
}

/// The entries of a whole file.
fn parse(content: &[u8]) -> Option<Entries> {
    let mut rest = content.strip_prefix(MAGIC)?;
    let mut entries = Entries::new();
    while !rest.is_empty() {
        let (length, checksum, after);
        (length, after) = rest.split_first_chunk()?;
        (checksum, rest) = after.split_first_chunk()?;
        let length = u32::from_le_bytes(*length) as usize;
        let payload = rest.get(..length)?;
        if crc32fast::hash(payload) != u32::from_le_bytes(*checksum) {
            return None;
        }
        rest = &rest[length..];
        let (key_length, payload) = payload.split_first_chunk()?;
        let (key, value) = payload.split_at_checked(u16::from_le_bytes(*key_length).into())?;
        if value.is_empty() {
            entries.remove(key);
        } else {
            entries.insert(key.into(), value.into());
        }
    }
    Some(entries)
}

fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let key_length = u16::try_from(key.len()).expect("keys are names of files and short");
    let payload = [&key_length.to_le_bytes()[..], key, value].concat();
    let length = u32::try_from(payload.len()).expect("values are short");
    [&length.to_le_bytes()[..], &crc32fast::hash(&payload).to_le_bytes(), &payload].concat()
}

fn record_bytes(key: &[u8], value: &[u8]) -> u64 {
    (10 + key.len() + value.len()) as u64
}

fn write_anew(path: &Path, entries: &Entries) -> Result<(DiskFile, u64), Error> {
    let fresh = path.with_extension("new");
    let mut content = MAGIC.to_vec();
    entries.iter().for_each(|(key, value)| content.extend(record(key, value)));
    let write = || -> io::Result<DiskFile> {
        let file = DiskFile::open(&fresh, Mode::Create)?;
        file.set_bytes(0)?;
        file.write_at(&content, 0)?;
        Ok(file)
    };
    let file = write().map_err(|cause| Error::file(path, "write it anew", &cause))?;
    file.sync("make an index durable")?;
    disk::rename(&fresh, path)?;
    sync_folder(folder_of(path), "make the name of an index durable")?;
    Ok((file, content.len() as u64))
}

/// The first bytes of a log.
const MAGIC: &[u8] = b"beryl-k1";

/// Out-of-date bytes that are worth keeping until the file is written anew: that holds up
/// whoever appends for some milliseconds.
const DEAD_BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc::channel;

    use super::*;
    use crate::tests::Folder;

    fn entries(log: &KeyedLog) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut all = Vec::new();
        log.each(|key, value| all.push((key.to_vec(), value.to_vec())));
        all.sort();
        all
    }

    fn pair(key: &[u8], value: &[u8]) -> (Vec<u8>, Vec<u8>) {
        (key.to_vec(), value.to_vec())
    }

    #[test]
    fn the_newest_record_of_a_key_counts() {
        let folder = Folder::new();
        let path = folder.path().join("alarms");
        assert!(KeyedLog::open(&path).unwrap().is_none());
        let log = KeyedLog::create(&path, Entries::new()).unwrap();
        let (sent, synced) = channel();
        let on_synced = Box::new(move |outcome| sent.send(outcome).unwrap());
        log.set_durably(b"a", b"1", on_synced);
        synced.recv().unwrap().unwrap();
        log.set(b"b", b"2").unwrap();
        log.set(b"a", b"3").unwrap();
        log.set(b"b", b"").unwrap();
        assert_eq!(entries(&log), [pair(b"a", b"3")]);
        drop(log);
        let log = KeyedLog::open(&path).unwrap().unwrap();
        assert_eq!(entries(&log), [pair(b"a", b"3")]);
        assert_eq!(log.find(b"a", <[u8]>::to_vec), Some(b"3".to_vec()));
    }

    #[test]
    fn a_torn_or_damaged_file_is_none() {
        let folder = Folder::new();
        let path = folder.path().join("alarms");
        let entry = |key: &[u8]| (key.into(), b"value"[..].into());
        drop(KeyedLog::create(&path, Entries::from([entry(b"a"), entry(b"b")])).unwrap());
        let whole = fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let opened = KeyedLog::open(&path).unwrap();
            let is_end_of_record = cut == MAGIC.len() || cut == MAGIC.len() + 16;
            assert_eq!(opened.is_some(), is_end_of_record, "cut at {cut}");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            fs::write(&path, &damaged).unwrap();
            assert!(KeyedLog::open(&path).unwrap().is_none(), "damaged at {at}");
        }
    }

    #[test]
    fn a_file_of_old_records_is_written_anew() {
        let folder = Folder::new();
        let path = folder.path().join("alarms");
        let log = KeyedLog::create(&path, Entries::new()).unwrap();
        for number in 0..2_000_u32 {
            let value = [&number.to_le_bytes()[..], &[7; 1_000]].concat();
            log.set(b"key", &value).unwrap();
        }
        drop(log);
        assert!(fs::metadata(&path).unwrap().len() < DEAD_BYTES_MAX + 10_000);
        let log = KeyedLog::open(&path).unwrap().unwrap();
        assert_eq!(
            log.find(b"key", |value| value[..4].to_vec()),
            Some(1_999_u32.to_le_bytes().into())
        );
    }
}
