//! What of an actor's writes is not committed yet, and which commit must be durable before
//! anything leaves (`spec/workers.md` ST-32, ST-33).
//!
//! Pure: numbers of commits come from the database. A message reveals the newest commit with a
//! confirmed write in it; one of unconfirmed writes only is not waited for. While an explicit
//! transaction is open, what it wrote is revealed to nobody who would have to wait for it.

use std::cell::Cell;

/// Whether a write holds messages back until it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// It does.
    Confirmed,
    /// It does not: the caller said `allowUnconfirmed`.
    Unconfirmed,
}

/// How far the database is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    /// The newest commit.
    pub committed: u64,
    /// True while writes are not committed.
    pub is_dirty: bool,
}

/// The writes of one actor.
#[derive(Default)]
pub(crate) struct Writes {
    /// The shard will commit them at the end of its round.
    is_scheduled: Cell<bool>,
    /// Explicit transactions that are open, inside of each other.
    transactions: Cell<usize>,
    /// One of those not committed yet is confirmed.
    has_confirmed: Cell<bool>,
    /// The newest commit with a confirmed write.
    confirmed: Cell<u64>,
}

impl Writes {
    /// Notes a write; true if the shard must be asked to commit it.
    pub fn add(&self, confirmation: Confirmation) -> bool {
        if confirmation == Confirmation::Confirmed {
            self.has_confirmed.set(true);
        }
        self.schedule()
    }

    /// True if the shard must be asked to commit, which it has not been yet.
    pub fn schedule(&self) -> bool {
        self.transactions.get() == 0 && !self.is_scheduled.replace(true)
    }

    /// True if the shard was asked to commit.
    pub fn is_scheduled(&self) -> bool {
        self.is_scheduled.get()
    }

    /// The shard need not commit any more.
    pub fn unschedule(&self) {
        self.is_scheduled.set(false);
    }

    /// Everything was committed under this number.
    pub fn committed(&self, number: u64) {
        if self.has_confirmed.take() {
            self.confirmed.set(number);
        }
    }

    /// All commits up to this one are waited for.
    pub fn committed_up_to(&self, number: u64) {
        self.has_confirmed.set(false);
        self.confirmed.set(number);
    }

    /// There is nothing to commit after all.
    pub fn forget(&self) {
        self.has_confirmed.set(false);
    }

    /// Open explicit transactions.
    pub fn transactions(&self) -> usize {
        self.transactions.get()
    }

    /// An explicit transaction began; before the outermost everything was committed.
    pub fn begin(&self) {
        if self.transactions.get() == 0 {
            self.has_confirmed.set(false);
        }
        self.transactions.set(self.transactions.get() + 1);
    }

    /// The innermost transaction ended, its writes are kept.
    pub fn keep(&self) {
        self.transactions.set(self.transactions.get().saturating_sub(1));
    }

    /// The innermost transaction ended, its writes were taken back.
    pub fn take_back(&self) {
        self.keep();
        if self.transactions.get() == 0 {
            self.has_confirmed.set(false);
        }
    }

    /// The newest commit that a message sent now must wait for.
    pub fn reveals(&self, progress: Progress) -> u64 {
        match self.transactions.get() == 0 && self.has_confirmed.get() {
            true => self.newest(progress),
            false => self.confirmed.get(),
        }
    }

    /// The commit with everything written so far, but for open transactions.
    pub fn newest(&self, progress: Progress) -> u64 {
        let is_pending = progress.is_dirty && self.transactions.get() == 0;
        progress.committed + u64::from(is_pending)
    }
}

#[cfg(test)]
mod tests {
    use super::Confirmation::{Confirmed, Unconfirmed};
    use super::*;

    fn dirty(committed: u64) -> Progress {
        Progress { committed, is_dirty: true }
    }

    fn clean(committed: u64) -> Progress {
        Progress { committed, is_dirty: false }
    }

    #[test]
    fn a_confirmed_write_is_waited_for_before_and_after_its_commit() {
        let writes = Writes::default();
        assert_eq!(writes.reveals(clean(0)), 0);
        assert!(writes.add(Confirmed), "the shard is asked to commit");
        assert!(!writes.add(Confirmed), "once");
        assert_eq!(writes.reveals(dirty(0)), 1);
        writes.unschedule();
        writes.committed(1);
        assert_eq!(writes.reveals(clean(1)), 1);
    }

    #[test]
    fn an_unconfirmed_write_is_not_waited_for_but_synced() {
        let writes = Writes::default();
        assert!(writes.add(Unconfirmed));
        assert_eq!((writes.reveals(dirty(0)), writes.newest(dirty(0))), (0, 1));
        writes.committed(1);
        assert_eq!((writes.reveals(clean(1)), writes.newest(clean(1))), (0, 1));
    }

    #[test]
    fn an_unconfirmed_write_shares_the_commit_of_a_confirmed_one() {
        let writes = Writes::default();
        writes.add(Unconfirmed);
        writes.add(Confirmed);
        assert_eq!(writes.reveals(dirty(4)), 5);
        writes.committed(5);
        writes.add(Unconfirmed);
        writes.committed(6);
        assert_eq!(writes.reveals(clean(6)), 5);
    }

    #[test]
    fn messages_do_not_wait_for_an_open_transaction() {
        let writes = Writes::default();
        writes.add(Confirmed);
        writes.committed(1);
        writes.begin();
        assert!(!writes.add(Confirmed), "nobody commits a part of it");
        assert_eq!((writes.reveals(dirty(1)), writes.newest(dirty(1))), (1, 1));
        writes.begin();
        writes.keep();
        assert_eq!(writes.reveals(dirty(1)), 1);
        writes.keep();
        assert_eq!(writes.reveals(dirty(1)), 2);
        writes.committed(2);
        assert_eq!(writes.reveals(clean(2)), 2);
    }

    #[test]
    fn what_was_taken_back_is_not_waited_for() {
        let writes = Writes::default();
        writes.begin();
        writes.add(Confirmed);
        writes.take_back();
        assert_eq!(writes.reveals(dirty(3)), 0);
        assert!(writes.schedule(), "the empty transaction must end");
    }

    #[test]
    fn taking_back_an_inner_transaction_keeps_what_the_outer_one_wrote() {
        let writes = Writes::default();
        writes.begin();
        writes.add(Confirmed);
        writes.begin();
        writes.take_back();
        writes.keep();
        assert_eq!(writes.reveals(dirty(0)), 1);
    }
}
