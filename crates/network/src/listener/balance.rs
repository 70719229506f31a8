//! How connections spread over the threads that accept from one queue. Pure, but for the clock.
//!
//! Whoever is free accepts, so a thread that does not come back from JavaScript takes no connection
//! with it. A thread that has more than others leaves them some time to take the next ones; else
//! the first to wake up would take all.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How many connections each thread has.
#[derive(Debug, Clone)]
pub(super) struct Balance {
    counts: Arc<[AtomicUsize]>,
    own: usize,
    /// Connections that may be accepted although others have fewer.
    credit: usize,
    /// When the others have had their time.
    until: Option<Instant>,
}

impl Balance {
    /// The views of so many threads.
    pub fn of(threads: usize) -> impl Iterator<Item = Balance> {
        let counts: Arc<[AtomicUsize]> = (0..threads).map(|_| AtomicUsize::new(0)).collect();
        (0..threads).map(move |own| Balance {
            counts: Arc::clone(&counts),
            own,
            credit: 0,
            until: None,
        })
    }

    /// That of the only thread.
    pub fn alone() -> Balance {
        let counts = Arc::new([AtomicUsize::new(0)]);
        Balance { counts, own: 0, credit: 0, until: None }
    }

    /// This thread has so many connections now.
    pub fn note(&self, connections: usize) {
        self.counts[self.own].store(connections, Ordering::Relaxed);
    }

    /// How long to leave the next connection to others.
    pub fn pause(&mut self, now: Instant) -> Option<Duration> {
        let count = |of: &AtomicUsize| of.load(Ordering::Relaxed);
        let least = self.counts.iter().map(count).min().unwrap_or_default();
        if count(&self.counts[self.own]) <= least + SLACK {
            (self.credit, self.until) = (0, None);
            return None;
        }
        if self.credit > 0 {
            return None;
        }
        let until = *self.until.get_or_insert(now + PAUSE);
        let left = until.saturating_duration_since(now);
        if left.is_zero() {
            (self.credit, self.until) = (BURST, None);
            return None;
        }
        Some(left)
    }

    /// A connection was accepted.
    pub fn accepted(&mut self) {
        self.credit = self.credit.saturating_sub(1);
    }
}

/// Connections more than others have that do not matter.
const SLACK: usize = 2;

/// Far longer than a thread that is not busy takes to wake up.
const PAUSE: Duration = Duration::from_millis(1);

/// Connections that are accepted after a pause in which nobody else came.
const BURST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_more_waits_for_the_others_but_not_for_ever() {
        let mut threads: Vec<Balance> = Balance::of(2).collect();
        let start = Instant::now();
        assert_eq!(threads[0].pause(start), None);
        threads[0].note(SLACK);
        assert_eq!(threads[0].pause(start), None);
        threads[0].note(SLACK + 1);
        assert_eq!(threads[0].pause(start), Some(PAUSE));
        assert_eq!(threads[0].pause(start + PAUSE / 2), Some(PAUSE / 2), "it goes on");
        assert_eq!(threads[1].pause(start), None, "the other has fewer");
        // Nobody came, for instance because the other one is in an endless loop.
        for _ in 0..BURST {
            assert_eq!(threads[0].pause(start + PAUSE), None);
            threads[0].accepted();
        }
        assert_eq!(threads[0].pause(start + PAUSE), Some(PAUSE));
        threads[1].note(1);
        assert_eq!(threads[0].pause(start + PAUSE), None, "they are even");
    }

    #[test]
    fn one_thread_never_waits() {
        let mut thread = Balance::alone();
        thread.note(1_000);
        assert_eq!(thread.pause(Instant::now()), None);
    }
}
