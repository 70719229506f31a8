//! Point-in-time recovery: bookmarks of a database, and the start from one.
//!
//! A recovery is wished for by a file and done when the database is opened next. The recovered
//! state is a new one, numbered behind all others, so that nothing of the past is lost and the
//! recovery can be undone. Every step can be repeated: a crash leaves the old database with the
//! wish, or the recovered one.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::archive::OnFetched;
use crate::bookmark::Bookmark;
use crate::connection::Connection;
use crate::database::{Database, Open, Settings, WAL_FRAME_BYTES};
use crate::database_file::{side_file, wal_of};
use crate::disk::{self, DiskFile, Mode, folder_of};
use crate::durability::{CommitLog, Durability, DurabilitySink, WAL_HEADER_BYTES};
use crate::error::Error;
use crate::history::{History, SYNC_HISTORY, copy};
use crate::history_log::{Record, commits, each};

impl Database {
    /// The bookmark of the state that the writes so far lead to (ST-44).
    ///
    /// # Errors
    /// [`Error::AppSql`] where no history is kept.
    pub fn current_bookmark(&self) -> Result<String, Error> {
        let (history, number) = self.open.current_number()?;
        Ok(Bookmark { number, history: history.id()? }.to_string())
    }

    /// The bookmark of the newest state at a time, in milliseconds since the epoch.
    ///
    /// # Errors
    /// [`Error::AppSql`] where nothing that old is kept.
    pub fn bookmark_for_time(&self, time_ms: u64) -> Result<String, Error> {
        let (history, newest) = self.open.current_number()?;
        let recent = self.open.transaction.number_at(time_ms);
        let number = match recent {
            // The log that is being written goes back far enough.
            Some(commits) => newest - self.open.transaction.in_wal() + commits,
            None => {
                let number = history.number_at(time_ms)?;
                number.ok_or_else(|| Error::sql(TOO_OLD))?
            }
        };
        let number = number.min(newest);
        Ok(Bookmark { number, history: history.id()? }.to_string())
    }

    /// Brings back from the archive what a recovery to this bookmark needs; true if `on_fetched`
    /// will be called, on another thread. It must not block.
    ///
    /// # Errors
    /// [`Error::AppSql`] where no history is kept, or an archive is needed that is not in use.
    pub fn fetch_state(&self, bookmark: &str, on_fetched: OnFetched) -> Result<bool, Error> {
        let (history, newest) = self.open.current_number()?;
        let Some(bookmark) = Bookmark::parse(bookmark) else { return Ok(false) };
        if bookmark.history != history.id()? || bookmark.number > newest {
            return Ok(false);
        }
        let log = Arc::clone(&self.open.log);
        let reload = move |outcome| {
            if let Some(history) = log.history() {
                history.reload();
            }
            on_fetched(outcome);
        };
        history.fetch(bookmark.number, Box::new(reload))
    }

    /// Lets the next opening begin from the state of a bookmark, and returns the bookmark that will
    /// undo this. A later call takes the place of an earlier one.
    ///
    /// # Errors
    /// [`Error::AppSql`] when the text is no bookmark of this database, or its state is not kept.
    pub fn restore_at_next_open(&self, bookmark: &str) -> Result<String, Error> {
        let (history, newest) = self.open.current_number()?;
        let bookmark = Bookmark::parse(bookmark).ok_or_else(|| Error::sql(NO_BOOKMARK))?;
        let id = history.id()?;
        if bookmark.history != id || bookmark.number > newest + UNDO_GAP {
            return Err(Error::sql(OTHER_BOOKMARK));
        }
        let wal_began = newest - self.open.transaction.in_wal();
        let is_reachable = bookmark.number >= newest
            || history.generation_of(bookmark.number)?.is_some()
            || bookmark.number >= wal_began && self.open.log_begins_with_nothing()?;
        if !is_reachable {
            return Err(Error::sql(TOO_OLD));
        }
        // Far enough that commits until then do not reach it.
        let start = newest + UNDO_GAP;
        self.open.awaits_restore.set(true);
        history.write_whole(&history.wish(), format!("{start:016x} {bookmark}").as_bytes())?;
        Ok(Bookmark { number: start - 1, history: id }.to_string())
    }
}

impl Open {
    /// Leaves the times of commits that are in the log only to the next handle.
    pub(crate) fn leave_times(&self) {
        let Some(history) = self.log.history().filter(|_| self.transaction.in_wal() > 0) else {
            return;
        };
        let noted = header_of(self.log.wal())
            .and_then(|header| history.note_times(&header, &self.transaction.times()));
        if let Err(error) = noted {
            tracing::debug!(%error, "times of commits are lost");
        }
    }

    /// Whether the log alone leads to all states in it, where none before are kept.
    fn log_begins_with_nothing(&self) -> Result<bool, Error> {
        if self.log.database_has_nothing() {
            return Ok(true);
        }
        let wal = DiskFile::open(self.log.wal(), Mode::Read).and_then(|file| file.read_all());
        let wal = wal.map_err(|cause| Error::file(self.log.wal(), "read it", &cause))?;
        Ok(Record::new(0, Vec::new(), wal).begins_whole())
    }

    /// The history with the number of the newest state, uncommitted writes included.
    fn current_number(&self) -> Result<(&History, u64), Error> {
        self.check()?;
        let history = self.log.history().ok_or_else(|| Error::sql(NO_HISTORY))?;
        self.finish_checkpoint()?;
        let in_wal = self.transaction.in_wal();
        let mut header = [0; WAL_HEADER_BYTES];
        if in_wal > 0 {
            let read = header_of(self.log.wal());
            header = read.map_err(|e| Error::file(self.log.wal(), "read its header", &e))?;
        }
        let before = history.number_before(&header)?;
        Ok((history, before + in_wal + u64::from(self.transaction.is_open())))
    }
}

/// The header of a log.
pub(crate) fn header_of(wal: &Path) -> io::Result<[u8; WAL_HEADER_BYTES]> {
    let mut header = [0; WAL_HEADER_BYTES];
    DiskFile::open(wal, Mode::Read)?.read_at(&mut header, 0)?;
    Ok(header)
}

/// The recovery that is wished for a database: the number its state gets, and the bookmark.
pub(crate) fn wish(history: &History) -> Result<Option<(u64, Bookmark)>, Error> {
    let path = history.wish();
    let fail = |cause: io::Error| Error::file(&path, "read it", &cause);
    let text = match DiskFile::open(&path, Mode::Read) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.and_then(|file| file.read_all()).map_err(fail)?,
    };
    let text = String::from_utf8_lossy(&text).into_owned();
    let parsed = text.split_once(' ').and_then(|(start, bookmark)| {
        Some((u64::from_str_radix(start, 16).ok()?, Bookmark::parse(bookmark)?))
    });
    Ok(parsed)
}

/// Keeps what the database holds, so that the recovery can be undone, and recovers. A wish that
/// cannot be fulfilled is dropped: the database opens as it is.
pub(crate) fn restore_before_open(
    path: &Path,
    settings: &Settings,
    history: &History,
    wish: (u64, Bookmark),
) -> Result<(), Error> {
    struct NoSink;
    impl DurabilitySink for NoSink {
        fn commit(&self, _log: &Arc<CommitLog>, _number: u64) {}
    }
    let durability = Durability {
        sink: Arc::new(NoSink),
        token: 0,
        counted: 0,
        on_durable: Arc::new(|_, _| ()),
    };
    let own = History::new(path, &history.settings);
    let kept = Database::open_file(path, &durability, settings, Some(own)).and_then(|database| {
        let (_, number) = database.open.current_number()?;
        database.close()?;
        Ok(number)
    });
    let is_kept = match kept {
        Ok(number) => {
            if history.id()? != wish.1.history || history.newest()? < number {
                tracing::error!(database = %path.display(), "no recovery: its history is lost");
                return history.forget_wish();
            }
            true
        }
        // Recovery is for damaged databases, too.
        Err(Error::ConfigDatabase { problem, .. }) if problem.contains("from a backup") => {
            tracing::error!(database = %path.display(), %problem, "recovering a damaged database");
            false
        }
        Err(error) => return Err(error),
    };
    match recover(path, history, wish, is_kept) {
        Err(error @ (Error::ConfigDatabase { .. } | Error::Bug { .. })) => {
            tracing::error!(database = %path.display(), %error, "no recovery");
            history.forget_wish()
        }
        outcome => outcome,
    }
}

/// How many commits the first frames of a log are.
pub(crate) fn commits_of(wal: &Path, frames: u64) -> io::Result<u64> {
    let mut wal = DiskFile::open(wal, Mode::Read)?.read_all()?;
    let bytes = WAL_HEADER_BYTES as u64 + frames * WAL_FRAME_BYTES;
    wal.truncate(usize::try_from(bytes).unwrap_or(usize::MAX));
    Ok(commits(&wal).count() as u64)
}

/// Puts a state of its history in the place of a closed database, whose log was kept and is gone.
pub(crate) fn recover(
    database: &Path,
    history: &History,
    (start, bookmark): (u64, Bookmark),
    is_kept: bool,
) -> Result<(), Error> {
    let found = history.generation_of(bookmark.number)?;
    let here = found.filter(|(generation, _)| !generation.is_archived);
    let (generation, next) = here.ok_or_else(|| Error::database(database, TOO_OLD))?;
    // Up to here there are no other states than those in the generation's log.
    let covered = match next {
        Some(next) => next.covers,
        None if is_kept => u64::MAX,
        None => 0,
    };
    let fresh = side_file(database, "-restore");
    let wal = wal_of(&fresh);
    disk::remove(&wal)?;
    let open = |path: &Path| {
        let opened = DiskFile::open(path, Mode::Read);
        opened.map_err(|cause| Error::file(path, "open it", &cause))
    };
    copy(&open(&history.snapshot_file(generation))?, &fresh)?;
    let mut applied = Ok(());
    let mut reached = generation.start;
    each(&history.log_file(generation), |record| {
        if applied.is_ok() && record.first <= bookmark.number {
            applied = apply(&fresh, record.wal_until(bookmark.number));
            reached = record.first + record.commits - 1;
        }
    })?;
    applied?;
    if bookmark.number > reached.max(covered) {
        return Err(Error::database(database, TOO_OLD));
    }
    let connection = Connection::open(&fresh, u64::MAX >> 8)?;
    connection.quick_check().map_err(|problem| Error::database(&fresh, problem))?;
    drop(connection);
    disk::remove(&wal)?;
    let recovered = open(&fresh)?;
    recovered.sync(SYNC_HISTORY)?;
    history.begin(start, &recovered)?;
    // A crash may bring this log back, and the wish: all is done again then.
    disk::remove(&wal_of(database))?;
    disk::rename(&fresh, database)?;
    disk::sync_folder(folder_of(database), SYNC_HISTORY)?;
    history.forget_wish()?;
    tracing::info!(database = %database.display(), %bookmark, "recovered an earlier state");
    Ok(())
}

/// Copies the commits of a log into a database that is not open.
fn apply(database: &Path, log: &[u8]) -> Result<(), Error> {
    let wal = wal_of(database);
    let fail = |cause: io::Error| Error::file(&wal, "write it", &cause);
    let file = DiskFile::open(&wal, Mode::Create).map_err(fail)?;
    file.write_at(log, 0).map_err(fail)?;
    drop(file);
    let connection = Connection::open(database, u64::MAX >> 8)?;
    let copied = connection.checkpoint();
    if copied.map_err(|failure| Error::database(database, failure.text))?.is_none() {
        return Err(Error::Bug { place: "storage: a log was not copied" });
    }
    drop(connection);
    disk::remove(&wal).map(|_| ())
}

/// Commits that may come between a wish and its recovery.
const UNDO_GAP: u64 = 1 << 24;

const NO_HISTORY: &str = "This Durable Object's storage back-end does not implement point-in-time \
     recovery.";
const NO_BOOKMARK: &str = "This is not a bookmark.";
const OTHER_BOOKMARK: &str = "The bookmark is not one of this Durable Object's storage.";
const TOO_OLD: &str = "No state that old is kept any more.";
