//! The alarm of one actor: what its database says, and what a commit has to wait for
//! (`spec/workers.md` AL-2 to AL-5).
//!
//! The time lies in the database and follows its transactions. While the handler runs, the alarm
//! counts as deleted but stays there, so that a crash runs it again; it is deleted when the
//! handler has returned, unless another was set meanwhile.

use std::cell::Cell;
use std::rc::Rc;

use storage::Database;
use storage::metadata::{ALARM, NAME};

use crate::actor::Actor;
use crate::alarm_index::AlarmKey;
use crate::error::Error;
use crate::event::AlarmEnd;

/// What an actor has to remember of its alarm.
#[derive(Default)]
pub(crate) struct AlarmState {
    /// The open transaction may have changed it.
    is_changed: Cell<bool>,
    /// The commit waits until the index has the new time.
    is_registering: Cell<bool>,
    /// The newest commit that changed it, while it is not durable, and what it set.
    committed: Cell<Option<(u64, Option<u64>)>>,
    /// The handler runs, for an alarm of this time.
    run_ms: Cell<Option<u64>>,
    /// That alarm is still in the database, and nobody set another.
    is_deferred: Cell<bool>,
    /// The database knows the name of its root.
    has_name: Cell<bool>,
}

impl Actor {
    /// `getAlarm()`: the time in milliseconds.
    ///
    /// # Errors
    /// As [`Actor::with_database`].
    pub fn alarm_ms(self: &Rc<Self>) -> Result<Result<Option<u64>, storage::Error>, Error> {
        if self.alarm.is_deferred.get() {
            return Ok(Ok(None));
        }
        self.with_database(alarm_of)
    }

    /// `setAlarm()` and `deleteAlarm()`: a write like any other.
    ///
    /// # Errors
    /// As [`Actor::with_database`].
    pub fn set_alarm(
        self: &Rc<Self>,
        time_ms: Option<u64>,
    ) -> Result<Result<(), storage::Error>, Error> {
        self.alarm.is_changed.set(true);
        self.alarm.is_deferred.set(false);
        let time_ns = time_ms.and_then(|time_ms| i64::try_from(time_ms).ok()?.checked_mul(NS));
        self.with_database(|database| {
            if time_ns.is_some() {
                self.store_name(database)?;
            }
            database.set_metadata(ALARM, time_ns)
        })
    }

    /// An index that is made anew must know the name that `ctx.id` had.
    fn store_name(&self, database: &Database) -> Result<(), storage::Error> {
        if self.alarm.has_name.get() {
            return Ok(());
        }
        if let Some(name) = self.identity.position.root.name()
            && database.metadata_text(NAME)?.is_none()
        {
            // A rollback would take it away again, so it is looked for at the next call too.
            return database.set_metadata_text(NAME, name);
        }
        self.alarm.has_name.set(true);
        Ok(())
    }

    /// A savepoint was rolled back, which may have brought back the alarm that runs.
    pub fn alarm_rolled_back(self: &Rc<Self>) {
        self.alarm.has_name.set(false);
        let Some(run_ms) = self.alarm.run_ms.get() else { return };
        if matches!(self.with_database(alarm_of), Ok(Ok(Some(time_ms))) if time_ms == run_ms) {
            self.alarm.is_deferred.set(true);
        }
    }

    /// The handler is about to run: gives the time its alarm was set to, or what the event ends
    /// with instead.
    ///
    /// # Errors
    /// As [`Actor::with_database`].
    pub fn alarm_begin(self: &Rc<Self>) -> Result<Result<u64, AlarmEnd>, Error> {
        match self.with_database(alarm_of)?? {
            Some(time_ms) if time_ms <= self.shard().clock().now_ms() => {
                self.alarm.run_ms.set(Some(time_ms));
                self.alarm.is_deferred.set(true);
                Ok(Ok(time_ms))
            }
            other => Ok(Err(AlarmEnd::Moved(other))),
        }
    }

    /// The handler returned.
    ///
    /// # Errors
    /// As [`Actor::with_database`].
    pub fn alarm_end(self: &Rc<Self>) -> Result<Result<(), storage::Error>, Error> {
        self.alarm.run_ms.set(None);
        if self.alarm.is_deferred.get() { self.set_alarm(None) } else { Ok(Ok(())) }
    }

    /// The handler failed; its alarm stays.
    pub(crate) fn alarm_failed(&self) {
        self.alarm.run_ms.set(None);
        self.alarm.is_deferred.set(false);
    }

    /// The alarm that runs, if any, is not to be tried again when the actor ends now (AL-9).
    pub fn give_up_alarm(&self) {
        self.worker().instance.give_up_alarm(self.index());
    }

    /// True if the commit must wait: the index has to know of an earlier alarm first (AL-3).
    pub(crate) fn waits_for_index(self: &Rc<Self>, database: &Database) -> bool {
        if self.alarm.is_registering.get() {
            return true;
        }
        if !self.alarm.is_changed.get() || !database.is_dirty() {
            return false;
        }
        // What cannot be read cannot be committed either; that breaks the actor.
        let Ok(Some(time_ms)) = alarm_of(database) else { return false };
        let waits = self.shard().register_alarm(self, time_ms);
        self.alarm.is_registering.set(waits);
        waits
    }

    /// The index knows of the alarm, or cannot be written.
    pub(crate) fn alarm_registered(self: &Rc<Self>, outcome: Result<(), storage::Error>) {
        if !self.alarm.is_registering.replace(false) {
            return;
        }
        match outcome {
            Ok(()) => self.commit(),
            Err(error) => self.break_with(&error.into()),
        }
    }

    /// A commit was handed in.
    pub(crate) fn alarm_committed(&self, commit: u64, database: &Database) {
        if self.alarm.is_changed.replace(false) {
            match alarm_of(database) {
                Ok(alarm) => self.alarm.committed.set(Some((commit, alarm))),
                Err(error) => tracing::error!(%error, "an alarm cannot be read back"),
            }
        }
    }

    /// The newest commit erased everything, the alarm included.
    pub(crate) fn alarm_erased(&self, database: &Database) {
        self.alarm.has_name.set(false);
        self.alarm.is_deferred.set(false);
        self.alarm.is_changed.set(true);
        self.alarm_committed(database.committed(), database);
        self.alarm_durable(database.durable());
    }

    /// All commits up to this one are on disk.
    pub(crate) fn alarm_durable(&self, durable: u64) {
        if let Some((commit, alarm)) = self.alarm.committed.get()
            && commit <= durable
        {
            self.alarm.committed.set(None);
            self.shard().alarm_settled(&self.alarm_key(), alarm, self.root_name());
        }
    }

    /// The database was opened: an alarm that the schedule does not know came with it.
    pub(crate) fn check_alarm(&self, database: &Database) -> Result<(), Error> {
        if let Some(time_ms) = alarm_of(database)? {
            self.shard().check_alarm(&self.alarm_key(), time_ms, self.root_name());
        }
        Ok(())
    }

    /// By what the index and the schedule know its alarm.
    pub(crate) fn alarm_key(&self) -> AlarmKey {
        self.identity.position.alarm_key()
    }

    pub(crate) fn root_name(&self) -> Option<&str> {
        self.identity.position.root.name()
    }
}

/// The alarm in an open database, in milliseconds.
pub(crate) fn alarm_of(database: &Database) -> Result<Option<u64>, storage::Error> {
    let time_ns = database.metadata(ALARM)?;
    Ok(time_ns.map(|time_ns| u64::try_from(time_ns / NS).unwrap_or(0)))
}

/// Nanoseconds of a millisecond.
const NS: i64 = 1_000_000;

/// The latest time an alarm can be set to: what fits into the database, in the year 2262.
pub const ALARM_MS_MAX: u64 = i64::MAX as u64 / NS as u64;
