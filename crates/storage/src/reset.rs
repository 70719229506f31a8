//! Emptying a database in one commit (`spec/workers.md` ST-43).
//!
//! SQLite's own reset: a `VACUUM` that takes the database for empty. It is a commit to the WAL
//! like any other, so after a crash there is all or nothing; the file shrinks at the next
//! checkpoint. Nothing of what user SQL made can stand in its way, as it could with `DROP`.

use crate::database::Database;
use crate::error::Error;

impl Database {
    /// Gives up what is not committed and removes everything else, tables of the runtime included.
    /// Cursors are canceled. The new state is a commit that was handed to the sink.
    ///
    /// # Errors
    /// [`Error::Bug`] within a savepoint; [`Error::BrokenStorage`] when the disk failed: nothing
    /// is removed then.
    pub fn reset(&self) -> Result<(), Error> {
        let open = &self.open;
        open.check()?;
        if self.savepoints() > 0 {
            return Err(Error::Bug { place: "storage: reset inside a savepoint" });
        }
        self.roll_back_all();
        open.check()?;
        open.cancel_cursors();
        open.log.open_files().map_err(|error| open.break_with(Error::broken(error.message())))?;
        open.finish_checkpoint()?;
        let hooks = open.connection.hooks();
        hooks.wal_pages.take();
        let emptied = open.connection.empty();
        open.forget_tables();
        emptied.map_err(|failure| open.break_with(Error::broken(failure.text)))?;
        open.transaction.shrunk();
        open.hand_in().map(|_| ())
    }

    /// Waits until everything that was committed is on disk.
    ///
    /// # Errors
    /// When the disk failed; the database then refuses all work.
    pub fn sync_now(&self) -> Result<(), Error> {
        let log = &self.open.log;
        let synced = log.sync_commits(log.handed_in());
        synced.map_err(|error| self.open.break_with(Error::broken(error.message())))
    }
}
