//! A [`DurabilitySink`] that can be stopped or made to fail, for tests of a whole process.
//!
//! Commits that come while it is stopped wait until it is released: whatever left the process
//! meanwhile did not wait for its commit.

use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::durability::{CommitLog, DurabilitySink, SYNC_COMMITS};
use crate::error::Error;
use crate::lost_sync;

/// A sink before another one.
pub struct Brake {
    sink: Arc<dyn DurabilitySink>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    mode: Mode,
    waiting: Vec<(Arc<CommitLog>, u64)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Open,
    Held,
    Failing,
}

impl Brake {
    /// A brake that is open.
    #[must_use]
    pub fn new(sink: Arc<dyn DurabilitySink>) -> Brake {
        Brake { sink, state: Mutex::default() }
    }

    /// From now on no commit becomes durable.
    pub fn hold(&self) {
        self.lock().mode = Mode::Held;
    }

    /// How many databases wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Lets everything go on.
    pub fn release(&self) {
        for (log, number) in self.change(Mode::Open) {
            self.sink.commit(&log, number);
        }
    }

    /// From now on every sync fails, those that wait too, as on a disk that is damaged.
    pub fn fail(&self) {
        self.change(Mode::Failing).into_iter().for_each(|(log, _)| fail(&log));
    }

    fn change(&self, mode: Mode) -> Vec<(Arc<CommitLog>, u64)> {
        let mut state = self.lock();
        state.mode = mode;
        mem::take(&mut state.waiting)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DurabilitySink for Brake {
    fn commit(&self, log: &Arc<CommitLog>, number: u64) {
        let mut state = self.lock();
        match state.mode {
            Mode::Held => state.waiting.push((log.clone(), number)),
            Mode::Open => {
                drop(state);
                self.sink.commit(log, number);
            }
            Mode::Failing => {
                drop(state);
                fail(log);
            }
        }
    }
}

fn fail(log: &Arc<CommitLog>) {
    let cause = io::Error::from_raw_os_error(libc::EIO);
    let error = Error::file(log.wal(), SYNC_COMMITS, &cause);
    lost_sync::report(&error, &cause);
    log.fail(error);
}
