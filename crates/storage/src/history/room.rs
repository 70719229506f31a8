//! Which generations of a history stay on the disk, which are in the archive only, and which go.

use std::path::PathBuf;

use super::{Generation, History, State};
use crate::archive::{OnFetched, Sent};
use crate::disk::{self, DiskFile, Mode};
use crate::error::Error;
use crate::history_log::{each, times_of};
use crate::restore;

impl History {
    /// The newest states of a generation at some times.
    pub(super) fn times_of(&self, generation: Generation) -> Result<Vec<(u64, u64)>, Error> {
        if generation.is_archived {
            let path = self.archived_file(generation);
            let note = DiskFile::open(&path, Mode::Read).and_then(|file| file.read_all());
            let note = note.map_err(|cause| Error::file(&path, "read it", &cause))?;
            return Ok(times_of(&note));
        }
        let mut times = Vec::new();
        each(&self.log_file(generation), |record| {
            times.extend(record.times.iter().map(|(count, ms)| (record.first + count - 1, *ms)));
        })?;
        Ok(times)
    }

    /// Brings the generation of a state back from the archive; false where it need not.
    ///
    /// # Errors
    /// When the archive has it and is not in use.
    pub(crate) fn fetch(&self, number: u64, on_fetched: OnFetched) -> Result<bool, Error> {
        let id = self.id()?;
        let found = self.generation_of(number)?.map(|(found, _)| found);
        let Some(found) = found.filter(|found| found.is_archived) else { return Ok(false) };
        let archive = self.archive.as_ref().ok_or_else(|| Error::sql(NO_ARCHIVE))?;
        archive.fetch(&self.database, id, found, on_fetched);
        Ok(true)
    }

    /// Looks at the files anew.
    pub(crate) fn reload(&self) {
        *self.lock() = None;
    }

    /// Removes generations that are out of time; those that are out of space, too, unless the
    /// archive has them.
    pub(super) fn forget(&self, state: &mut State) -> Result<(), Error> {
        let now = (self.settings.now_ms)();
        let wished = restore::wish(self)?.map(|(_, bookmark)| bookmark.number);
        let mut bytes = 0;
        let mut keep = state.generations.len();
        for index in (0..state.generations.len()).rev() {
            let generation = state.generations[index];
            // A generation ends where the next one begins.
            let next = state.generations.get(index + 1);
            let is_wished = wished.is_some_and(|number| {
                number >= generation.start && next.is_none_or(|next| number < next.start)
            });
            let end = next.map_or(now, |next| next.start_ms);
            bytes += self.bytes_of(generation)?;
            let has_room = bytes <= self.settings.bytes_max || next.is_none() || is_wished;
            if next.is_some() && !is_wished && end + self.settings.keep_ms < now {
                break;
            }
            if !has_room && !generation.is_archived {
                if !self.is_sent(generation)? {
                    break;
                }
                bytes -= self.bytes_of(generation)?;
                self.leave_to_archive(generation)?;
                state.generations[index].is_archived = true;
            }
            keep = index;
        }
        state.generations.drain(..keep).try_for_each(|generation| self.remove(state.id, generation))
    }

    /// Bytes on this disk.
    fn bytes_of(&self, generation: Generation) -> Result<u64, Error> {
        let mut bytes = 0;
        for path in [self.snapshot_file(generation), self.log_file(generation)] {
            let found = disk::bytes_of(&path).map_err(|e| Error::file(&path, "read it", &e))?;
            bytes += found.unwrap_or(0);
        }
        Ok(bytes)
    }

    /// True if the archive has a generation that is not written any more.
    fn is_sent(&self, generation: Generation) -> Result<bool, Error> {
        let log = self.log_file(generation);
        let bytes = disk::bytes_of(&log).map_err(|e| Error::file(&log, "read it", &e))?;
        let sent = Sent::of(&self.folder, generation).map_err(|e| Error::file(&log, "find", &e))?;
        Ok(self.archive.is_some() && sent.is_some_and(|sent| sent.bytes == bytes.unwrap_or(0)))
    }

    fn leave_to_archive(&self, generation: Generation) -> Result<(), Error> {
        let times = self.times_of(generation)?;
        let bytes = times
            .into_iter()
            .flat_map(|(number, ms)| [number.to_le_bytes(), ms.to_le_bytes()].concat());
        self.write_whole(&self.archived_file(generation), &bytes.collect::<Vec<_>>())?;
        disk::remove(&self.log_file(generation))?;
        disk::remove(&self.snapshot_file(generation)).map(|_| ())
    }

    pub(super) fn remove(&self, history: u128, generation: Generation) -> Result<(), Error> {
        // The log first: a snapshot alone is a state, a log alone is nothing.
        disk::remove(&self.log_file(generation))?;
        disk::remove(&self.snapshot_file(generation))?;
        let sent = self.folder.join(format!("{}.sent", generation.name()));
        let was_archived = disk::remove(&self.archived_file(generation))?;
        let was_sent = disk::remove(&sent)?;
        if let Some(archive) = self.archive.as_ref().filter(|_| was_sent || was_archived) {
            archive.forget(&self.database, Some((history, generation)));
        }
        Ok(())
    }

    fn archived_file(&self, generation: Generation) -> PathBuf {
        self.folder.join(format!("{}.archived", generation.name()))
    }
}

const NO_ARCHIVE: &str = "This state is in an archive, and none is in use.";
