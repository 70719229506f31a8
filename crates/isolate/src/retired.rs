//! Isolates that are done, dropped when their shard has the time, and the memory they leave.
//!
//! V8 allocates about 900 KB per isolate outside of its heap, through the C library, which
//! keeps what is freed unless it is asked to give it back.

use std::cell::{Cell, RefCell};

use crate::isolate::Isolate;

/// A shard's isolates that only wait to be dropped.
#[derive(Default)]
pub struct Retired {
    isolates: RefCell<Vec<Isolate>>,
    /// Dropped since memory was given back.
    dropped: Cell<usize>,
}

impl Retired {
    /// Takes an isolate that nobody uses any more. Callable from inside another isolate.
    pub fn push(&self, isolate: Isolate) {
        self.isolates.borrow_mut().push(isolate);
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.isolates.borrow().len()
    }

    /// True if there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.dropped.get() < DROPPED_MIN
    }

    /// Takes the next step, which takes milliseconds: drops one isolate, or else gives memory
    /// back if enough were dropped. False if there was nothing to do. Not from inside an isolate.
    pub fn step(&self) -> bool {
        let isolate = self.isolates.borrow_mut().pop();
        if isolate.is_some() {
            drop(isolate);
            self.dropped.set(self.dropped.get() + 1);
            return true;
        }
        if self.dropped.get() < DROPPED_MIN {
            return false;
        }
        self.dropped.set(0);
        give_memory_back();
        true
    }

    /// Drops all at once. Not from inside an isolate.
    pub fn drop_all(&self) {
        let isolates = self.isolates.take();
        self.dropped.set(self.dropped.get() + isolates.len());
    }
}

/// Gives the pages that the C library holds free back to the system.
fn give_memory_back() {
    // SAFETY: `malloc_trim` has no requirements; it may be called at any time by any thread.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Isolates whose memory is worth the milliseconds that giving it back takes.
const DROPPED_MIN: usize = 16;
