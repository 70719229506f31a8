//! The dynamic workers of a shard that have an isolate, and which of them lose it.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use crate::limits::IDLE_WORKERS_MAX;
use crate::loader::LoadedWorker;

/// Dynamic workers that got an isolate; those that are gone are forgotten in passing.
#[derive(Default)]
pub(crate) struct LoadedWorkers(RefCell<Vec<Weak<LoadedWorker>>>);

impl LoadedWorkers {
    /// Notes one that got an isolate, and evicts idle ones beyond the limit.
    pub(crate) fn add(&self, worker: &Rc<LoadedWorker>) {
        let mut loaded = self.0.borrow_mut();
        loaded.retain(|worker| worker.strong_count() > 0);
        loaded.push(Rc::downgrade(worker));
        let alive = loaded.iter().filter_map(Weak::upgrade);
        let mut idle: Vec<(u64, Rc<LoadedWorker>)> =
            alive.filter_map(|worker| Some((worker.idle_since()?, worker))).collect();
        if idle.len() <= IDLE_WORKERS_MAX {
            return;
        }
        idle.sort_unstable_by_key(|(used, _)| *used);
        let excess = idle.len() - IDLE_WORKERS_MAX;
        for (_, worker) in idle.drain(..excess) {
            worker.evict();
            let is_it = |other: &Weak<LoadedWorker>| other.as_ptr() == Rc::as_ptr(&worker);
            loaded.retain(|other| !is_it(other));
        }
    }

    /// Evicts the one that was idle for longest; true if there was one.
    pub(crate) fn evict_oldest(&self) -> bool {
        let loaded = self.0.borrow();
        let alive = loaded.iter().filter_map(Weak::upgrade);
        let idle = alive.filter_map(|worker| Some((worker.idle_since()?, worker)));
        let oldest = idle.min_by_key(|(used, _)| *used);
        oldest.map(|(_, worker)| worker.evict()).is_some()
    }

    /// Drops the isolates of those that had no work for too long; true if any is left.
    pub(crate) fn sweep(&self, now_ms: u64) -> bool {
        let mut loaded = self.0.borrow_mut();
        loaded.retain(|worker| worker.upgrade().is_some_and(|worker| !worker.leaves(now_ms)));
        !loaded.is_empty()
    }
}
