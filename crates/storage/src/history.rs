//! What a database was: snapshots and the logs behind them, for point-in-time recovery.
//!
//! `<database>-history/` holds generations. One is `<number>-<milliseconds>-<covers>.snapshot`, a
//! copy of the database, and a `.log` of the same name: the write-ahead logs since, as SQLite
//! wrote them, each kept before its header is erased. States are numbered by commits. A new
//! generation begins when a log is larger than its snapshot, so that recovery reads twice the
//! database's size at most; old ones go when they are out of time or space. A history that cannot
//! be written begins anew, under another id: the database itself goes on. With an archive
//! ([`crate::archive`]) all of it goes there too.

mod room;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::archive::{Shared as Archive, archive_of};
use crate::database_file::{PAGE_BYTES, side_file};
use crate::disk::{self, DiskFile, Mode};
use crate::error::Error;
use crate::history_log::{Record, last_record, times_of};

/// How much of a database's past is kept, and for how long.
#[derive(Debug, Clone)]
pub struct HistorySettings {
    /// Milliseconds until a state may be forgotten.
    pub keep_ms: u64,
    /// Bytes of the history of one database. The newest generation stays in any case.
    pub bytes_max: u64,
    /// The clock, in milliseconds since the epoch.
    pub now_ms: fn() -> u64,
}

/// The history of one database. Shared with the sink's threads.
pub(crate) struct History {
    database: PathBuf,
    folder: PathBuf,
    pub(crate) settings: HistorySettings,
    archive: Option<Arc<Archive>>,
    state: Mutex<Option<State>>,
}

/// What is known of the files.
struct State {
    /// Tells bookmarks of this history from those of others; 0 before it has one.
    id: u128,
    generations: Vec<Generation>,
    /// Sound bytes of the newest generation's log, and its last record.
    log_bytes: u64,
    last: Option<Record>,
    /// The newest state that is kept.
    newest: u64,
}

/// A snapshot with its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation {
    /// The number of the snapshot's state.
    pub(crate) start: u64,
    pub(crate) start_ms: u64,
    /// Up to this number the generation before has all states; none where there is a gap.
    pub(crate) covers: u64,
    /// It lies in the archive only.
    pub(crate) is_archived: bool,
}

/// A log that is about to be erased.
pub(crate) struct FullLog<'a> {
    pub(crate) database: &'a DiskFile,
    pub(crate) wal: &'a DiskFile,
    /// Bytes of it that count.
    pub(crate) bytes: u64,
    /// When its commits were made: how many there were by then, and milliseconds.
    pub(crate) times: Vec<(u64, u64)>,
    /// The database had nothing in it when the log began.
    pub(crate) began_blank: bool,
}

impl History {
    pub(crate) fn new(database: &Path, settings: &HistorySettings) -> History {
        let folder = folder_of_history(database);
        let (settings, archive) = (settings.clone(), archive_of(database));
        History { database: database.into(), folder, settings, archive, state: Mutex::new(None) }
    }

    /// The history's id, made with the first bookmark or log.
    pub(crate) fn id(&self) -> Result<u128, Error> {
        self.with_state(|state| self.give_id(state))
    }

    /// The number of the state before a log began, which is told by its header.
    pub(crate) fn number_before(&self, wal_header: &[u8]) -> Result<u64, Error> {
        self.with_state(|state| Ok(state.number_before(wal_header)))
    }

    /// Keeps a log, and a snapshot where it is time for one. A history that cannot be written is
    /// given up and begins anew: its bookmarks must not lead to states they do not mean.
    ///
    /// # Errors
    /// When it cannot even be given up; the log must not be erased then.
    pub(crate) fn keep(&self, log: &FullLog<'_>) -> Result<(), Error> {
        let kept = self.with_state(|state| {
            self.give_id(state)?;
            self.append(state, log)
        });
        let Err(error) = kept else {
            if let Some(archive) = &self.archive {
                archive.send(&self.database);
            }
            return Ok(());
        };
        tracing::error!(database = %self.database.display(), %error, "history begins anew");
        *self.lock() = None;
        disk::remove(&self.folder.join(ID_FILE))?;
        disk::sync_folder(&self.folder, SYNC_HISTORY)
    }

    /// The newest generation that begins at or before a state, and the one behind it.
    pub(crate) fn generation_of(
        &self,
        number: u64,
    ) -> Result<Option<(Generation, Option<Generation>)>, Error> {
        self.with_state(|state| {
            let next = state.generations.iter().position(|found| found.start > number);
            let next = next.unwrap_or(state.generations.len());
            let found = next.checked_sub(1).map(|index| state.generations[index]);
            Ok(found.map(|found| (found, state.generations.get(next).copied())))
        })
    }

    /// The number of the newest state that is kept.
    pub(crate) fn newest(&self) -> Result<u64, Error> {
        self.with_state(|state| Ok(state.newest))
    }

    /// The number of the newest state at a time, among those that are kept.
    pub(crate) fn number_at(&self, time_ms: u64) -> Result<Option<u64>, Error> {
        self.with_state(|state| {
            let begun = state.generations.iter().filter(|found| found.start_ms <= time_ms);
            let Some(generation) = begun.copied().next_back() else { return Ok(None) };
            let times = self.times_of(generation)?;
            let in_time = times.into_iter().filter(|(_, ms)| *ms <= time_ms);
            Ok(in_time.map(|(number, _)| number).max().or(Some(generation.start)))
        })
    }

    /// Makes a file the snapshot of a new generation.
    pub(crate) fn begin(&self, start: u64, from: &DiskFile) -> Result<(), Error> {
        let now = (self.settings.now_ms)();
        let generation = Generation::new(start, now, start - 1);
        self.with_state(|state| self.begin_in(state, generation, from))
    }

    /// Where the wish for a recovery is noted.
    pub(crate) fn wish(&self) -> PathBuf {
        self.folder.join("restore")
    }

    /// Notes when the commits of a log were made that stays behind an abandoned handle. A crash
    /// loses the note, which only makes times coarser.
    pub(crate) fn note_times(&self, wal: &[u8], times: &[(u64, u64)]) -> io::Result<()> {
        disk::create_folders(&self.folder)?;
        let file = DiskFile::open(&self.folder.join(TIMES_FILE), Mode::Create)?;
        let mut bytes = wal.to_vec();
        for (commits, ms) in times {
            bytes.extend(commits.to_le_bytes());
            bytes.extend(ms.to_le_bytes());
        }
        file.set_bytes(0)?;
        file.write_at(&bytes, 0)
    }

    /// What was noted of the log with this header.
    pub(crate) fn noted_times(&self, wal: &[u8]) -> Vec<(u64, u64)> {
        let file = DiskFile::open(&self.folder.join(TIMES_FILE), Mode::Read);
        let bytes = file.and_then(|file| file.read_all()).unwrap_or_default();
        bytes.strip_prefix(wal).map_or_else(Vec::new, times_of)
    }

    /// Removes the wish. If it came back it would take away what was written since.
    pub(crate) fn forget_wish(&self) -> Result<(), Error> {
        disk::remove(&self.wish())?;
        disk::sync_folder(&self.folder, SYNC_HISTORY)
    }

    /// Writes a small file of the history, whole or not at all.
    pub(crate) fn write_whole(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let folders = disk::create_folders(&self.folder)
            .map_err(|cause| Error::file(&self.folder, "create it", &cause))?;
        folders.iter().try_for_each(|folder| disk::sync_folder(folder, SYNC_HISTORY))?;
        let fresh = side_file(path, ".new");
        let fail = |cause: io::Error| Error::file(&fresh, "write it", &cause);
        let file = DiskFile::open(&fresh, Mode::Create).map_err(fail)?;
        file.set_bytes(0).map_err(fail)?;
        file.write_at(bytes, 0).map_err(fail)?;
        file.sync(SYNC_HISTORY)?;
        disk::rename(&fresh, path)?;
        disk::sync_folder(&self.folder, SYNC_HISTORY)
    }

    pub(crate) fn snapshot_file(&self, generation: Generation) -> PathBuf {
        self.folder.join(format!("{}.snapshot", generation.name()))
    }

    pub(crate) fn log_file(&self, generation: Generation) -> PathBuf {
        self.folder.join(format!("{}.log", generation.name()))
    }

    fn append(&self, state: &mut State, log: &FullLog<'_>) -> Result<(), Error> {
        let fail = |cause: io::Error| Error::file(&self.database, "read its log", &cause);
        if log.database.bytes().map_err(fail)? > self.settings.bytes_max / 2 {
            // Not even two snapshots would have room.
            let cause = io::Error::other("the database is larger than half of what it may take");
            return Err(Error::file(&self.folder, "keep history", &cause));
        }
        let mut wal = vec![0; usize::try_from(log.bytes).unwrap_or(usize::MAX)];
        let found = log.wal.read_at(&mut wal, 0).map_err(fail)?;
        wal.truncate(found);
        let before = state.number_before(&wal[..wal.len().min(32)]);
        let record = Record::new(before + 1, log.times.clone(), wal);
        if state.generations.is_empty() && (log.began_blank || record.begins_whole()) {
            let blank = self.blank_file()?;
            let start_ms = log.times.first().map_or(0, |(_, ms)| *ms);
            let generation = Generation::new(before, start_ms, before);
            self.begin_in(state, generation, &blank)?;
        }
        let (newest, now) = (before + record.commits, (self.settings.now_ms)());
        if state.generations.is_empty() {
            let generation = Generation::new(newest, now, 0);
            return self.begin_in(state, generation, log.database);
        }
        let generation = state.generations[state.generations.len() - 1];
        // A crash came between keeping a log and erasing it: what was kept is replaced by what it
        // has become.
        let replaced = state.last.as_ref().filter(|last| last.first == record.first);
        let start = replaced.map_or(state.log_bytes, |last| state.log_bytes - last.bytes());
        let path = self.log_file(generation);
        let fail = |cause: io::Error| Error::file(&path, "append to it", &cause);
        let file = DiskFile::open(&path, Mode::Create).map_err(fail)?;
        file.set_bytes(start).map_err(fail)?;
        let bytes = record.to_bytes();
        file.write_at(&bytes, start).map_err(fail)?;
        file.sync(SYNC_HISTORY)?;
        if start == 0 {
            disk::sync_folder(&self.folder, SYNC_HISTORY)?;
        }
        state.log_bytes = start + bytes.len() as u64;
        state.newest = newest;
        state.last = Some(record.without_frames());
        let database_bytes = log.database.bytes().map_err(fail)?;
        if state.log_bytes > database_bytes.max(LOG_BYTES_MIN) {
            let generation = Generation::new(newest, now, newest);
            self.begin_in(state, generation, log.database)?;
        }
        Ok(())
    }

    fn begin_in(
        &self,
        state: &mut State,
        generation: Generation,
        from: &DiskFile,
    ) -> Result<(), Error> {
        let path = self.snapshot_file(generation);
        let fresh = side_file(&path, ".new");
        copy(from, &fresh)?;
        disk::rename(&fresh, &path)?;
        disk::sync_folder(&self.folder, SYNC_HISTORY)?;
        state.generations.retain(|known| known.start != generation.start);
        state.generations.push(generation);
        (state.log_bytes, state.last) = (0, None);
        state.newest = generation.start;
        self.forget(state)
    }

    fn blank_file(&self) -> Result<DiskFile, Error> {
        let path = self.folder.join("blank.new");
        self.write_whole(&path, &crate::database_file::blank_database())?;
        let fail = |cause: io::Error| Error::file(&path, "open it", &cause);
        DiskFile::open(&path, Mode::Read).map_err(fail)
    }

    fn give_id(&self, state: &mut State) -> Result<u128, Error> {
        if state.id == 0 {
            let id = new_id();
            self.write_whole(&self.folder.join(ID_FILE), &id.to_be_bytes())?;
            state.id = id;
        }
        Ok(state.id)
    }

    fn with_state<T>(&self, f: impl FnOnce(&mut State) -> Result<T, Error>) -> Result<T, Error> {
        let mut state = self.lock();
        if state.is_none() {
            *state = Some(self.load()?);
        }
        match &mut *state {
            Some(state) => f(state),
            None => Err(Error::Bug { place: "storage: history" }),
        }
    }

    fn load(&self) -> Result<State, Error> {
        let fail = |cause: io::Error| Error::file(&self.folder, "read it", &cause);
        let (id, local) = history_in(&self.folder)?;
        let names = disk::list(&self.folder).map_err(fail)?;
        let mut generations = local.clone();
        let archived = names.iter().filter_map(|name| Generation::of(name));
        let is_here = |found: &Generation| local.iter().any(|known| known.name() == found.name());
        generations.extend(archived.filter(|found| found.is_archived && !is_here(found)));
        generations.sort_unstable_by_key(|generation| (generation.start, generation.start_ms));
        if id == 0 {
            // Of a history that was given up, under a number that is not known any more.
            for generation in generations.drain(..) {
                self.remove(0, generation)?;
            }
        }
        let newest = generations.last().copied();
        let (log_bytes, last) = match newest {
            Some(generation) => last_record(&self.log_file(generation))?,
            None => (0, None),
        };
        let start = newest.map_or(0, |generation| generation.start);
        let newest = last.as_ref().map_or(start, |last| last.first + last.commits - 1);
        Ok(State { id, generations, log_bytes, last, newest })
    }

    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn number_before(&self, wal_header: &[u8]) -> u64 {
        let kept = self.last.as_ref().filter(|last| last.header() == wal_header);
        kept.map_or(self.newest, |last| last.first - 1)
    }
}

impl Generation {
    fn new(start: u64, start_ms: u64, covers: u64) -> Generation {
        Generation { start, start_ms, covers, is_archived: false }
    }

    /// What its files are called, but for their ends.
    pub(crate) fn name(self) -> String {
        format!("{:016x}-{:012x}-{:016x}", self.start, self.start_ms, self.covers)
    }

    /// The generation that a file is the snapshot of, or the note that the archive has it.
    fn of(file: &str) -> Option<Generation> {
        if let Some(name) = file.strip_suffix(".archived") {
            return Some(Generation { is_archived: true, ..Generation::named(name)? });
        }
        Generation::named(file.strip_suffix(".snapshot")?)
    }

    fn named(name: &str) -> Option<Generation> {
        let mut parts = name.split('-');
        let mut number = || u64::from_str_radix(parts.next()?, 16).ok();
        Some(Generation::new(number()?, number()?, number()?))
    }
}

/// The id of the history in a folder, 0 for none, and the generations on this disk, oldest first.
pub(crate) fn history_in(folder: &Path) -> Result<(u128, Vec<Generation>), Error> {
    let fail = |cause: io::Error| Error::file(folder, "read it", &cause);
    let names = disk::list(folder).map_err(fail)?;
    let found = names.iter().filter_map(|name| Generation::of(name));
    let mut generations: Vec<_> = found.filter(|found| !found.is_archived).collect();
    generations.sort_unstable_by_key(|generation| (generation.start, generation.start_ms));
    let id = match DiskFile::open(&folder.join(ID_FILE), Mode::Read) {
        Ok(file) => file.read_all().map_err(fail)?.try_into().map_or(0, u128::from_be_bytes),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => 0,
        Err(cause) => return Err(fail(cause)),
    };
    Ok((id, generations))
}

/// Copies a file as a whole and makes the copy durable.
pub(crate) fn copy(from: &DiskFile, to: &Path) -> Result<(), Error> {
    let fail = |cause: io::Error| Error::file(to, "write it", &cause);
    let file = DiskFile::open(to, Mode::Create).map_err(fail)?;
    file.set_bytes(0).map_err(fail)?;
    let mut buffer = vec![0; 256 * PAGE_BYTES];
    let mut at = 0;
    loop {
        let found = from.read_at(&mut buffer, at).map_err(fail)?;
        if found == 0 {
            return file.sync(SYNC_HISTORY);
        }
        file.write_at(&buffer[..found], at).map_err(fail)?;
        at += found as u64;
    }
}

/// Gives up what is known of the past, where there is any: states are about to be made that nobody
/// keeps, and what is kept later must not be put on top of what is kept now.
pub(crate) fn give_up(database: &Path) -> Result<(), Error> {
    let folder = folder_of_history(database);
    let had_id = disk::remove(&folder.join(ID_FILE))?;
    if had_id { disk::sync_folder(&folder, SYNC_HISTORY) } else { Ok(()) }
}

/// Where the history of a database lies.
pub(crate) fn folder_of_history(database: &Path) -> PathBuf {
    side_file(database, "-history")
}

/// Random enough to tell histories apart: the hasher is keyed by the system's randomness.
fn new_id() -> u128 {
    use std::hash::{BuildHasher, RandomState};
    let half = || u128::from(RandomState::new().hash_one(0));
    (half() << 64 | half()).max(1)
}

/// A log of this size may grow although the database is smaller.
const LOG_BYTES_MIN: u64 = 256 << 10;

const ID_FILE: &str = "id";
const TIMES_FILE: &str = "times";

pub(crate) const SYNC_HISTORY: &str = "make its history durable";
