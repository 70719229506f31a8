//! The threads that make commits durable: the usual [`DurabilitySink`] on one machine.
//!
//! A database is in the queue at most once and synced by one thread at a time. Commits that come
//! while its sync runs share the next one. Different databases sync in parallel. Dropping the pool
//! works off the queue first.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::durability::{CommitLog, DurabilitySink};
use crate::error::Error;

/// Threads that call [`CommitLog::sync`]. One per process.
pub struct SyncPool {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

/// What the threads share.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Arc<CommitLog>>,
    // Where every log is that waits or is being synced, by address. The queue or the thread holds
    // the log, so the address is not reused.
    turns: HashMap<usize, Turn>,
    closing: bool,
}

/// Where a log is on its way through the pool.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Waiting,
    Syncing,
    /// A commit came while the sync ran.
    SyncingThenWaiting,
}

impl SyncPool {
    /// Starts the threads. [`THREADS_DEFAULT`] suits one disk.
    ///
    /// # Errors
    /// [`Error::ConfigThreads`] when the machine refuses a thread.
    pub fn start(threads: usize) -> Result<Arc<SyncPool>, Error> {
        let mut pool = SyncPool { queue: Arc::default(), threads: Vec::new() };
        for index in 0..threads.max(1) {
            let queue = pool.queue.clone();
            let thread = thread::Builder::new()
                .name(format!("sync-{index}"))
                .spawn(move || queue.work())
                .map_err(|cause| Error::ConfigThreads { problem: cause.to_string().into() })?;
            pool.threads.push(thread);
        }
        Ok(Arc::new(pool))
    }
}

impl DurabilitySink for SyncPool {
    fn commit(&self, log: &Arc<CommitLog>, _number: u64) {
        let mut state = self.queue.lock();
        match state.turns.get_mut(&address(log)) {
            Some(turn @ Turn::Syncing) => *turn = Turn::SyncingThenWaiting,
            Some(Turn::Waiting | Turn::SyncingThenWaiting) => {}
            None => {
                state.enqueue(log.clone());
                drop(state);
                self.queue.changed.notify_one();
            }
        }
    }
}

impl Drop for SyncPool {
    fn drop(&mut self) {
        self.queue.lock().closing = true;
        self.queue.changed.notify_all();
        let me = thread::current().id();
        for thread in self.threads.drain(..).filter(|thread| thread.thread().id() != me) {
            if thread.join().is_err() {
                tracing::error!("a sync thread panicked");
            }
        }
    }
}

impl Queue {
    fn work(&self) {
        let mut state = self.lock();
        loop {
            if let Some(log) = state.waiting.pop_front() {
                state.turns.insert(address(&log), Turn::Syncing);
                drop(state);
                log.sync();
                state = self.lock();
                // The log goes away outside of the lock: it may be its last holder.
                let finished = state.finish(log);
                drop(state);
                drop(finished);
                state = self.lock();
            } else if state.closing {
                return;
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enqueue(&mut self, log: Arc<CommitLog>) {
        self.turns.insert(address(&log), Turn::Waiting);
        self.waiting.push_back(log);
    }

    /// Ends a sync. The thread that calls this looks at the queue next, so nobody is woken.
    fn finish(&mut self, log: Arc<CommitLog>) -> Option<Arc<CommitLog>> {
        let turn = self.turns.remove(&address(&log));
        if turn == Some(Turn::SyncingThenWaiting) {
            self.enqueue(log);
            return None;
        }
        Some(log)
    }
}

fn address(log: &Arc<CommitLog>) -> usize {
    Arc::as_ptr(log).addr()
}

/// A disk takes a few flushes at a time; more threads only wait in the kernel.
pub const THREADS_DEFAULT: usize = 4;
