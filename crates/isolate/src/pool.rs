//! Blank isolates made while a shard is idle, so that no request waits for one to be made.

use std::cell::RefCell;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::engine::Engine;
use crate::error::Error;
use crate::isolate::Isolate;
use crate::watchdog::WatchSlot;

/// A shard's store of blank isolates.
pub struct Pool {
    engine: Arc<Engine>,
    watch: Arc<WatchSlot>,
    blanks: RefCell<Vec<Isolate>>,
    size: usize,
}

impl Pool {
    /// An empty pool that [`fill_one`](Self::fill_one) brings up to `size` isolates.
    #[must_use]
    pub fn new(engine: Arc<Engine>, watch: Arc<WatchSlot>, size: usize) -> Pool {
        Pool { engine, watch, blanks: RefCell::default(), size }
    }

    /// Takes a blank isolate, making one if none is left.
    ///
    /// # Errors
    /// As [`Isolate::blank`].
    pub fn take(&self) -> Result<Isolate, Error> {
        match self.blanks.borrow_mut().pop() {
            Some(isolate) => Ok(isolate),
            None => Isolate::blank(&self.engine, &self.watch),
        }
    }

    /// Makes one blank isolate if fewer than the wanted number wait; true if it did.
    ///
    /// # Errors
    /// As [`Isolate::blank`].
    pub fn fill_one(&self) -> Result<bool, Error> {
        if self.is_full() {
            return Ok(false);
        }
        let blank = Isolate::blank(&self.engine, &self.watch)?;
        self.blanks.borrow_mut().push(blank);
        Ok(true)
    }

    /// True if [`take`](Self::take) would give an isolate.
    #[must_use]
    pub fn has_room(&self) -> bool {
        !self.blanks.borrow().is_empty()
            || self.engine.isolates.load(Ordering::Relaxed) < self.engine.limits.isolates_max
    }

    /// True if nothing is left to be made, or isolates become scarce: those that wait here would
    /// be missed by other shards.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.blanks.borrow().len() >= self.size || self.engine.is_nearly_full()
    }
}
