//! When an actor's writes are committed, and its explicit transactions (ST-32, ST-33, ST-40).
//!
//! Outside of explicit transactions the shard commits at the end of each round. An explicit one
//! is a savepoint that stays open over turns; nothing is committed until the outermost ends.
//! Messages do not wait for it, because it may itself wait for their answers.

use std::rc::Rc;

use storage::Database;
use tokio::sync::oneshot;

use super::Actor;
use crate::error::Error;
use crate::event::Outgoing;
use crate::gate::Passage;
use crate::writes::Progress;

impl Actor {
    /// Commits the writes of the turns since the last commit.
    pub(crate) fn commit(self: &Rc<Self>) {
        if self.writes.transactions() > 0 {
            return self.writes.unschedule();
        }
        let Some(database) = self.database.borrow().clone() else { return };
        if database.holds_commits() {
            // It stays scheduled, and the sync pool's next report takes it up again.
            return self.is_held.set(true);
        }
        // It stays scheduled while the commit is put off, and is not scheduled twice.
        if self.waits_for_index(&database) {
            return;
        }
        self.writes.unschedule();
        match database.commit() {
            Ok(Some(number)) => {
                self.writes.committed(number);
                self.alarm_committed(number, &database);
            }
            Ok(None) => {
                self.writes.forget();
                let open = self.gate.borrow_mut().nothing_written(database.committed());
                open.into_iter().for_each(Outgoing::send);
            }
            Err(error) => self.break_with(&error.into()),
        }
    }

    pub(super) fn progress(&self) -> Progress {
        let database = self.database.borrow();
        let progress = |database: &Database| Progress {
            committed: database.committed(),
            is_dirty: database.is_dirty(),
        };
        database.as_ref().map(progress).unwrap_or_default()
    }

    /// The newest commit that a message sent now may reveal.
    pub(super) fn reveals(&self) -> u64 {
        self.writes.reveals(self.progress())
    }

    /// Something to wait for until all that was written so far is durable, unconfirmed writes
    /// included (ST-37); `None` if it is.
    #[must_use]
    pub fn sync(&self) -> Option<oneshot::Receiver<Result<(), Error>>> {
        self.signal(self.writes.newest(self.progress()))
    }

    /// Something to wait for before a request may leave; `None` if it may leave now.
    pub(crate) fn signal_when_durable(&self) -> Option<oneshot::Receiver<Result<(), Error>>> {
        self.signal(self.reveals())
    }

    fn signal(&self, reveals: u64) -> Option<oneshot::Receiver<Result<(), Error>>> {
        let (signal, waiter) = oneshot::channel();
        let passage = self.gate.borrow_mut().pass(reveals, Outgoing::Signal(signal));
        match passage {
            Passage::Open(_) => None,
            Passage::Held => Some(waiter),
            Passage::Broken(outgoing, error) => {
                outgoing.fail(error);
                Some(waiter)
            }
        }
    }

    /// Opens an explicit transaction, inside of the one that is open; gives its depth from 1.
    /// What was written before the outermost is committed first. `None` if that must wait for the
    /// disk: try again after [`sync`](Self::sync).
    ///
    /// # Errors
    /// What broke the actor, or breaks it now.
    pub fn begin_transaction(self: &Rc<Self>) -> Result<Option<usize>, Error> {
        if self.writes.transactions() == 0 {
            self.commit();
            if self.writes.is_scheduled() {
                return Ok(None);
            }
        }
        self.with_database(Database::savepoint)??;
        self.writes.begin();
        Ok(Some(self.writes.transactions()))
    }

    /// Keeps what the transaction of this depth did; the outermost is committed at once.
    ///
    /// # Errors
    /// [`Error::AppCode`] while a transaction inside of it is open; what broke the actor, also
    /// that the commit violates constraints (ST-34).
    pub fn commit_transaction(self: &Rc<Self>, depth: usize) -> Result<(), Error> {
        if self.writes.transactions() != depth {
            return Err(Error::app_code("Error", OUTER_COMMIT));
        }
        self.with_database(Database::release)??;
        self.writes.keep();
        self.commit();
        self.broken().map_or(Ok(()), Err)
    }

    /// Takes back what the transaction of this depth did.
    ///
    /// # Errors
    /// [`Error::AppCode`] while a transaction inside of it is open; what broke the actor.
    pub fn roll_back_transaction(self: &Rc<Self>, depth: usize) -> Result<(), Error> {
        let is_innermost = self.writes.transactions() == depth;
        let rolled_back = self.with_database(|database| {
            let is_innermost = is_innermost && database.savepoints() == depth;
            if is_innermost { database.roll_back().map(|()| true) } else { Ok(false) }
        })??;
        if !rolled_back {
            return Err(Error::app_code("Error", OUTER));
        }
        self.writes.take_back();
        self.alarm_rolled_back();
        if self.writes.schedule() {
            self.shard().add_dirty(Rc::clone(self));
        }
        Ok(())
    }

    /// True while an explicit transaction or `transactionSync` is open.
    #[must_use]
    pub fn is_in_transaction(&self) -> bool {
        self.database.borrow().as_ref().is_some_and(|database| database.savepoints() > 0)
    }
}

const OUTER_COMMIT: &str =
    "Cannot commit an outer transaction while a nested transaction is still running.";
const OUTER: &str =
    "Cannot roll back an outer transaction while a nested transaction is still running.";
