//! Copying the WAL into the database's pages, in two halves that never make the owner wait.
//!
//! The copy itself only moves bytes between files in memory; the pages become durable on the
//! sink's threads ([`crate::durability`]). Commits wait for that: the caller asks
//! [`Database::holds_commits`] and comes back when `on_durable` reports. A commit that is made
//! nevertheless waits for the disk.

use crate::database::{Database, Open, WAL_FRAME_BYTES};
use crate::disk::step;
use crate::durability::{Copied, WAL_HEADER_BYTES};
use crate::error::Error;
use crate::result_code::Failure;

impl Database {
    /// True while commits should wait: a checkpoint is due or under way. `on_durable` reports when
    /// this may have changed.
    #[must_use]
    pub fn holds_commits(&self) -> bool {
        let log = &self.open.log;
        log.is_settling() || (self.is_large() && log.durable() < log.handed_in())
    }

    /// True when the database's own pages hold all commits, durably; closing it is quick then.
    #[must_use]
    pub fn is_copied(&self) -> bool {
        self.open.transaction.uncopied_bytes() == 0 && !self.open.log.is_settling()
    }

    /// True while closing the database and opening it again would be noticed: a cursor has rows to
    /// give, or the next opening recovers another state.
    #[must_use]
    pub fn must_stay_open(&self) -> bool {
        self.open.awaits_restore.get() || self.open.connection.is_reading()
    }

    /// Starts a [checkpoint](Self::checkpoint) when the WAL holds more than [`WAL_BYTES_MAX`], or
    /// a reset, after which the file is to shrink.
    ///
    /// # Errors
    /// As [`checkpoint`](Self::checkpoint).
    pub fn checkpoint_if_large(&self) -> Result<(), Error> {
        let is_due = self.is_large() || self.open.transaction.has_shrunk();
        if is_due { self.checkpoint() } else { Ok(()) }
    }

    /// Starts to copy the WAL into the database. Does nothing while a transaction or cursor is
    /// open, or a commit is not durable.
    ///
    /// # Errors
    /// [`Error::BrokenStorage`] when the disk failed; the database then refuses all work.
    pub fn checkpoint(&self) -> Result<(), Error> {
        let open = &self.open;
        open.check()?;
        let is_durable = open.log.durable() == open.log.handed_in();
        let is_due = open.transaction.uncopied_bytes() > 0 && !open.log.is_settling();
        if is_due && is_durable && !self.is_dirty() && open.copy_wal()? {
            open.sink.commit(&open.log, open.log.handed_in());
        }
        Ok(())
    }

    fn is_large(&self) -> bool {
        self.open.transaction.uncopied_bytes() >= WAL_BYTES_MAX
    }
}

impl Open {
    /// Ends a checkpoint before the WAL is written again.
    pub(crate) fn finish_checkpoint(&self) -> Result<(), Error> {
        if self.log.is_settling() {
            self.log.settle().map_err(|error| self.lose_disk(error))?;
        }
        if self.transaction.keeps_pages.replace(false) {
            self.connection.set_spills(true).map_err(|failure| self.lose(failure))?;
        }
        Ok(())
    }

    /// Copies everything that is committed and waits until it is durable; false while a cursor is
    /// open.
    pub(crate) fn copy_wal_and_wait(&self) -> Result<bool, Error> {
        self.finish_checkpoint()?;
        if self.transaction.uncopied_bytes() == 0 {
            return Ok(true);
        }
        let newest = self.log.handed_in();
        self.log.sync_commits(newest).map_err(|error| self.lose_disk(error))?;
        if !self.copy_wal()? {
            return Ok(false);
        }
        self.finish_checkpoint()?;
        Ok(true)
    }

    /// The first half: false while a statement is under way.
    fn copy_wal(&self) -> Result<bool, Error> {
        // Until the pages are durable a large transaction must not overwrite the WAL.
        self.connection.set_spills(false).map_err(|failure| self.lose(failure))?;
        self.transaction.keeps_pages.set(true);
        step("before a checkpoint");
        let began_blank = self.log.database_has_nothing();
        let frames = self.connection.checkpoint().map_err(|failure| self.lose(failure))?;
        step("before a checkpoint settles");
        if let Some(frames) = frames {
            let times = self.transaction.copied();
            let bytes = WAL_HEADER_BYTES as u64 + frames * WAL_FRAME_BYTES;
            // Not before: the sync pool may look at any time.
            self.log.start_settling(Copied { bytes, times, began_blank });
        } else {
            self.finish_checkpoint()?;
        }
        Ok(frames.is_some())
    }

    fn lose(&self, failure: Failure) -> Error {
        tracing::error!(database = %self.log.database().display(), failure.text, "disk error");
        self.break_with(Error::broken(failure.text))
    }

    fn lose_disk(&self, error: Error) -> Error {
        let message = error.message();
        self.log.fail(error);
        self.break_with(Error::broken(message))
    }
}

/// Bytes in the WAL that make a checkpoint worth its two syncs: SQLite's own default.
pub const WAL_BYTES_MAX: u64 = 4 << 20;
