//! A disk in memory that loses power: what was not synced may be gone, in part or out of order.
//!
//! Paths below `/sim/<number>/` belong to a simulated disk, for [`crate::disk`] as for SQLite,
//! which reaches it through a file system of its own ([`super::sim_vfs`]). Every call is a step. At
//! a chosen step the power fails: from then on every call fails, and [`SimDisk::restart`] shows
//! what is left. Of each file that is what was synced, plus any part of the writes since, by
//! sectors of 512 bytes, one of which may be torn; of each name, any of its states since its
//! folder was synced. The same seed gives the same run.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::CStr;
use std::io::{self, ErrorKind};
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use crate::disk::Mode;

pub(crate) const VFS: &CStr = c"beryl-sim";

/// A simulated disk; it is reached by its paths.
pub(crate) struct SimDisk {
    pub(crate) folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    seed: u64,
    files: Vec<Content>,
    names: BTreeMap<PathBuf, Name>,
    steps: u64,
    power_until: u64,
    is_kill: bool,
    fails: Option<(Fault, u64)>,
    failed: bool,
    deaf: Option<Site>,
    syncs: BTreeSet<Site>,
}

/// The place in the code that makes a sync.
pub(crate) type Site = &'static Location<'static>;

/// A file's bytes, apart from its name.
#[derive(Default)]
struct Content {
    durable: Vec<u8>,
    now: Vec<u8>,
    unsynced: Vec<Change>,
}

enum Change {
    Write(usize, Vec<u8>),
    Resize(usize),
}

/// What a name has meant since its folder was synced: the first is durable, the last is now.
struct Name(Vec<Option<usize>>);

/// What a failing call reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Io,
    Full,
}

/// A file that is open.
pub(crate) struct SimFile {
    disk: Arc<SimDisk>,
    number: usize,
}

static DISKS: LazyLock<Mutex<HashMap<PathBuf, Arc<SimDisk>>>> = LazyLock::new(Mutex::default);

/// The disk below which a path lies.
pub(crate) fn disk_of(path: &Path) -> Option<Arc<SimDisk>> {
    if !path.starts_with("/sim") {
        return None;
    }
    let folder: PathBuf = path.components().take(3).collect();
    DISKS.lock().unwrap().get(&folder).cloned()
}

impl SimDisk {
    /// An empty disk.
    pub(crate) fn new(seed: u64) -> Arc<SimDisk> {
        super::sim_vfs::register();
        let mut disks = DISKS.lock().unwrap();
        let number = disks.keys().filter_map(|path| path.file_name()?.to_str()?.parse().ok()).max();
        let folder = PathBuf::from(format!("/sim/{}", number.unwrap_or(0_u64) + 1));
        let state = State { seed, power_until: u64::MAX, ..State::default() };
        let disk = Arc::new(SimDisk { folder: folder.clone(), state: Mutex::new(state) });
        disks.insert(folder, disk.clone());
        disk
    }

    /// Gives the disk's memory back.
    pub(crate) fn discard(&self) {
        DISKS.lock().unwrap().remove(&self.folder);
    }

    /// Lets the power fail after so many more calls.
    pub(crate) fn fail_power_in(&self, steps: u64) {
        let mut state = self.lock();
        state.power_until = state.steps + steps;
    }

    /// Lets the process end after so many more calls: what it wrote stays in memory.
    pub(crate) fn kill_in(&self, steps: u64) {
        let mut state = self.lock();
        state.power_until = state.steps + steps;
        state.is_kill = true;
    }

    /// Lets one call fail: the one after so many more.
    pub(crate) fn fail_call_in(&self, steps: u64, fault: Fault) {
        let mut state = self.lock();
        state.fails = Some((fault, state.steps + steps));
    }

    /// Ignores the syncs of this place from now on: they succeed and do nothing.
    pub(crate) fn be_deaf_to(&self, site: Site) {
        self.lock().deaf = Some(site);
    }

    /// Goes on without a power failure: a process starts anew.
    pub(crate) fn resume(&self) {
        let mut state = self.lock();
        (state.power_until, state.is_kill) = (u64::MAX, false);
    }

    /// True once the power failed.
    pub(crate) fn is_off(&self) -> bool {
        let state = self.lock();
        state.steps >= state.power_until
    }

    /// True when the call that was to fail did.
    pub(crate) fn failed(&self) -> bool {
        self.lock().failed
    }

    /// How many calls there were.
    pub(crate) fn steps(&self) -> u64 {
        self.lock().steps
    }

    /// The places that made syncs since the last call.
    pub(crate) fn take_syncs(&self) -> BTreeSet<Site> {
        std::mem::take(&mut self.lock().syncs)
    }

    /// A random number below `below`, from the disk's seed.
    pub(crate) fn random(&self, below: u64) -> u64 {
        random(&mut self.lock().seed, below)
    }

    /// Brings the power back after it failed.
    pub(crate) fn restart(&self) {
        let state = &mut *self.lock();
        // From nothing to everything, so that long and short survivors are both common.
        let survives = [0, 50, 90, 100][random(&mut state.seed, 4) as usize];
        for file in &mut state.files {
            file.lose(&mut state.seed, survives);
        }
        for Name(states) in state.names.values_mut() {
            let left = random(&mut state.seed, states.len() as u64) as usize;
            *states = vec![states[left]];
        }
        state.names.retain(|_, Name(states)| states[0].is_some());
        state.power_until = u64::MAX;
        state.fails = None;
    }

    pub(crate) fn open(self: &Arc<Self>, path: &Path, mode: Mode) -> io::Result<SimFile> {
        let mut state = self.step(true)?;
        let found = state.find(path);
        let number = match (found, mode) {
            (Some(_), Mode::CreateNew) => return Err(ErrorKind::AlreadyExists.into()),
            (Some(number), _) => number,
            (None, Mode::Read | Mode::ReadWrite) => return Err(ErrorKind::NotFound.into()),
            (None, Mode::Create | Mode::CreateNew) => {
                state.files.push(Content::default());
                let number = state.files.len() - 1;
                state.set_name(path, Some(number));
                number
            }
        };
        Ok(SimFile { disk: self.clone(), number })
    }

    pub(crate) fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.step(false)?.find(path).is_some())
    }

    pub(crate) fn remove(&self, path: &Path) -> io::Result<bool> {
        let mut state = self.step(true)?;
        let found = state.find(path).is_some();
        if found {
            state.set_name(path, None);
        }
        Ok(found)
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.step(true)?;
        let number = state.find(from).ok_or(ErrorKind::NotFound)?;
        state.set_name(to, Some(number));
        state.set_name(from, None);
        Ok(())
    }

    pub(crate) fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = self.step(false)?;
        let inside = state.names.iter().filter(|(path, Name(states))| {
            path.parent() == Some(folder) && states.last().is_some_and(Option::is_some)
        });
        Ok(inside.map(|(path, _)| path.file_name().unwrap().to_str().unwrap().into()).collect())
    }

    pub(crate) fn sync_folder(&self, folder: &Path, site: Site) -> io::Result<()> {
        let mut state = self.step(true)?;
        state.syncs.insert(site);
        if state.deaf != Some(site) {
            for (path, Name(states)) in &mut state.names {
                if path.parent() == Some(folder) {
                    states.drain(..states.len() - 1);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn sync_all(&self, site: Site) -> io::Result<()> {
        let state = &mut *self.step(true)?;
        state.syncs.insert(site);
        if state.deaf != Some(site) {
            for Content { durable, unsynced, .. } in &mut state.files {
                unsynced.drain(..).for_each(|change| change.apply_to(durable));
            }
            for Name(states) in state.names.values_mut() {
                states.drain(..states.len() - 1);
            }
        }
        Ok(())
    }

    /// Counts a call and fails it where it is due; `changes` tells whether a full disk matters.
    fn step(&self, changes: bool) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        state.steps += 1;
        if state.steps > state.power_until {
            return Err(io::Error::other("the power is off"));
        }
        match state.fails {
            Some((Fault::Io, at)) if state.steps >= at => {
                (state.fails, state.failed) = (None, true);
                Err(io::Error::from_raw_os_error(libc::EIO))
            }
            Some((Fault::Full, at)) if state.steps >= at && changes => {
                (state.fails, state.failed) = (None, true);
                Err(ErrorKind::StorageFull.into())
            }
            _ => Ok(state),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn find(&self, path: &Path) -> Option<usize> {
        self.names.get(path).and_then(|Name(states)| *states.last()?)
    }

    fn set_name(&mut self, path: &Path, number: Option<usize>) {
        let name = self.names.entry(path.into()).or_insert_with(|| Name(vec![None]));
        name.0.push(number);
    }
}

impl SimFile {
    pub(crate) fn bytes(&self) -> io::Result<u64> {
        let state = self.disk.step(false)?;
        Ok(state.files[self.number].now.len() as u64)
    }

    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.step(false)?;
        let content = &state.files[self.number].now;
        let start = content.len().min(offset as usize);
        let found = buffer.len().min(content.len() - start);
        buffer[..found].copy_from_slice(&content[start..start + found]);
        Ok(found)
    }

    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.step(true)?;
        state.files[self.number].apply(Change::Write(offset as usize, bytes.to_vec()));
        Ok(())
    }

    pub(crate) fn set_bytes(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.step(true)?;
        state.files[self.number].apply(Change::Resize(length as usize));
        Ok(())
    }

    pub(crate) fn sync(&self, site: Site) -> io::Result<()> {
        let synced = self.disk.step(true);
        let mut state = match synced {
            Ok(state) => state,
            Err(error) => {
                // The kernel forgets what it could not write: a later sync succeeds without it.
                let state = &mut *self.disk.lock();
                if state.is_kill {
                    return Err(error);
                }
                let keeps = random(&mut state.seed, 2) == 0;
                state.files[self.number].forget(&mut state.seed, keeps);
                return Err(error);
            }
        };
        state.syncs.insert(site);
        if state.deaf != Some(site) {
            let file = &mut state.files[self.number];
            let Content { durable, unsynced, .. } = file;
            unsynced.drain(..).for_each(|change| change.apply_to(durable));
        }
        Ok(())
    }
}

impl Content {
    fn apply(&mut self, change: Change) {
        change.apply_to(&mut self.now);
        self.unsynced.push(change);
    }

    /// A sync failed: some of the writes are lost. What is read is either what is left, or still
    /// what was written, as if it were on disk.
    fn forget(&mut self, seed: &mut u64, keeps: bool) {
        let now = keeps.then(|| self.now.clone());
        self.lose(seed, 50);
        if let Some(now) = now {
            self.now = now;
        }
    }

    /// Forgets writes that were not synced, all but `survives` of a hundred.
    fn lose(&mut self, seed: &mut u64, survives: u64) {
        let mut may_tear = true;
        for change in self.unsynced.drain(..) {
            match change {
                Change::Resize(_) if random(seed, 100) < survives => {
                    change.apply_to(&mut self.durable);
                }
                Change::Resize(_) => {}
                Change::Write(offset, bytes) => {
                    let mut at = 0;
                    while at < bytes.len() {
                        let end = bytes.len().min(at + SECTOR - (offset + at) % SECTOR);
                        let mut part = &bytes[at..end];
                        let survived = random(seed, 100) < survives;
                        if !survived && may_tear && random(seed, 20) == 0 {
                            may_tear = false;
                            part = &part[..random(seed, part.len() as u64) as usize];
                        } else if !survived {
                            part = &[];
                        }
                        if !part.is_empty() {
                            let kept = Change::Write(offset + at, part.to_vec());
                            kept.apply_to(&mut self.durable);
                        }
                        at = end;
                    }
                }
            }
        }
        self.now.clone_from(&self.durable);
    }
}

impl Change {
    fn apply_to(&self, content: &mut Vec<u8>) {
        match self {
            Change::Resize(length) => content.resize(*length, 0),
            Change::Write(offset, bytes) => {
                let end = offset + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[*offset..end].copy_from_slice(bytes);
            }
        }
    }
}

/// SplitMix64.
pub(crate) fn random(seed: &mut u64, below: u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) % below.max(1)
}

/// What a disk writes as a whole, mostly.
const SECTOR: usize = 512;
