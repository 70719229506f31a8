//! When alarms are due, tried again and given up (`spec/workers.md` §5): the state machine of a
//! shard.
//!
//! Pure: the time and the jitter are passed in, and the caller delivers what is due. It knows the
//! alarms that were committed; whether one still holds is decided when it is delivered.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

/// The alarms of a shard, at most one per key.
pub struct Schedule<K> {
    entries: HashMap<K, Entry>,
    /// Those that wait, by when they are due.
    waiting: BTreeSet<(u64, K)>,
    /// Those that run, by when they are overlong; one that was reported is not in it.
    running: BTreeSet<(u64, K)>,
    running_count: usize,
}

/// One run of a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The time the alarm was set to.
    pub time_ms: u64,
    /// Earlier failures that count, `retryCount`.
    pub retry_count: u32,
    /// True if it ran before, `isRetry`.
    pub is_retry: bool,
}

/// What has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Due<K> {
    /// Run the handler, then call [`Schedule::finished`].
    Run(K, Run),
    /// The handler runs for too long (AL-8); it is still expected to finish.
    Overlong(K),
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The handler returned, and the alarm is deleted.
    Done,
    /// The database says that nothing was due; its alarm is at this time, if it has one.
    Moved(Option<u64>),
    /// It failed through no fault of the app: tried again for ever (AL-7).
    FailedUncounted,
    /// User code failed: tried again a few times.
    FailedCounted,
    /// It must not be tried again (AL-9, AL-10).
    GivenUp,
    /// Nobody can run it at the moment; [`Schedule::resume`] tries again.
    Parked,
}

/// What the caller has to do after a run.
#[derive(Debug, PartialEq, Eq)]
pub enum After {
    /// Nothing; the alarm, if there is one, is at this time.
    Scheduled(Option<u64>),
    /// The alarm was given up: delete it from its database.
    Abandon,
}

struct Entry {
    state: State,
    /// Failures that count.
    counted: u32,
    /// Exponent of the next delay.
    exponent: u32,
    /// Whether the last failure counted; the delays of the two kinds do not mix.
    was_counted: bool,
    has_run: bool,
}

enum State {
    /// Waits until `due_ms`: the alarm's own time, or that of the next try.
    Waiting { time_ms: u64, due_ms: u64 },
    /// The handler runs. `next` was committed meanwhile.
    Running { time_ms: u64, overlong_ms: u64, next: Option<u64> },
    /// Due, but nobody can run it.
    Parked { time_ms: u64 },
}

impl<K: Clone + Ord + Hash> Schedule<K> {
    /// The alarm of this key was committed. A running handler goes on, and this alarm comes after
    /// it.
    pub fn set(&mut self, key: &K, time_ms: u64) {
        if let Some(Entry { state: State::Running { next, .. }, .. }) = self.entries.get_mut(key) {
            *next = Some(time_ms);
            return;
        }
        self.remove(key);
        self.wait(key, Entry::waiting(time_ms));
    }

    /// An alarm that failed `counted` times before the process ended.
    pub fn restore(&mut self, key: &K, time_ms: u64, counted: u32) {
        let has_run = counted > 0;
        self.wait(key, Entry { counted, has_run, ..Entry::waiting(time_ms) });
    }

    /// The alarm of this key was deleted, in a commit. A handler that runs is not stopped.
    pub fn delete(&mut self, key: &K) {
        match self.entries.get_mut(key).map(|entry| &mut entry.state) {
            Some(State::Running { next, .. }) => *next = None,
            _ => self.remove(key),
        }
    }

    /// Forgets a key altogether, also a run of it.
    pub fn forget(&mut self, key: &K) {
        if let Some(Entry { state: State::Running { .. }, .. }) = self.entries.get(key) {
            self.running_count -= 1;
        }
        self.remove(key);
    }

    /// True if an alarm of this key is known.
    #[must_use]
    pub fn contains(&self, key: &K) -> bool {
        self.entries.contains_key(key)
    }

    /// Takes the next thing that is due at `now_ms`.
    pub fn due(&mut self, now_ms: u64) -> Option<Due<K>> {
        if self.running.first().is_some_and(|(overlong_ms, _)| *overlong_ms <= now_ms) {
            return self.running.pop_first().map(|(_, key)| Due::Overlong(key));
        }
        if self.running_count >= ALARMS_RUNNING_MAX || self.waiting.first()?.0 > now_ms {
            return None;
        }
        let (_, key) = self.waiting.pop_first()?;
        let entry = self.entries.get_mut(&key)?;
        let State::Waiting { time_ms, .. } = entry.state else { return None };
        let overlong_ms = now_ms.saturating_add(RUN_MS_MAX);
        entry.state = State::Running { time_ms, overlong_ms, next: None };
        let run = Run { time_ms, retry_count: entry.counted, is_retry: entry.has_run };
        entry.has_run = true;
        self.running_count += 1;
        self.running.insert((overlong_ms, key.clone()));
        Some(Due::Run(key, run))
    }

    /// When [`due`](Self::due) has something next, as far as that is known before a run ends.
    #[must_use]
    pub fn next_due(&self) -> Option<u64> {
        let is_full = self.running_count >= ALARMS_RUNNING_MAX;
        let waiting = self.waiting.first().filter(|_| !is_full);
        [waiting, self.running.first()].into_iter().flatten().map(|(at, _)| *at).min()
    }

    /// A run ended. `jitter` is between 0 and 1.
    pub fn finished(&mut self, key: &K, outcome: Outcome, now_ms: u64, jitter: f64) -> After {
        let Some(entry) = self.entries.remove(key) else { return After::Scheduled(None) };
        let State::Running { time_ms, overlong_ms, next } = entry.state else {
            self.entries.insert(key.clone(), entry);
            return After::Scheduled(None);
        };
        self.running_count -= 1;
        self.running.remove(&(overlong_ms, key.clone()));
        // An alarm that was set during the run comes instead of a retry (AL-5).
        let next = match (outcome, next) {
            (_, Some(time_ms)) | (Outcome::Moved(Some(time_ms)), None) => Entry::waiting(time_ms),
            (Outcome::Done | Outcome::Moved(None), None) => return After::Scheduled(None),
            (Outcome::GivenUp, None) => return After::Abandon,
            (Outcome::Parked, None) => {
                let state = State::Parked { time_ms };
                self.entries.insert(key.clone(), Entry { state, ..entry });
                return After::Scheduled(Some(time_ms));
            }
            (Outcome::FailedCounted | Outcome::FailedUncounted, None) => {
                let is_counted = outcome == Outcome::FailedCounted;
                match entry.failed(time_ms, is_counted, now_ms, jitter) {
                    Some(entry) => entry,
                    None => return After::Abandon,
                }
            }
        };
        let State::Waiting { time_ms, .. } = next.state else { return After::Scheduled(None) };
        self.wait(key, next);
        After::Scheduled(Some(time_ms))
    }

    /// Failures of this key that count and that a restart must remember.
    #[must_use]
    pub fn counted(&self, key: &K) -> u32 {
        self.entries.get(key).map_or(0, |entry| entry.counted)
    }

    /// Somebody can run the alarm of this key again.
    pub fn resume(&mut self, key: &K) {
        let Some(entry) = self.entries.get(key) else { return };
        if let State::Parked { time_ms } = entry.state {
            let entry = Entry { counted: entry.counted, ..Entry::waiting(time_ms) };
            self.wait(key, entry);
        }
    }

    fn wait(&mut self, key: &K, entry: Entry) {
        if let State::Waiting { due_ms, .. } = entry.state {
            self.waiting.insert((due_ms, key.clone()));
        }
        self.entries.insert(key.clone(), entry);
    }

    fn remove(&mut self, key: &K) {
        let Some(entry) = self.entries.remove(key) else { return };
        match entry.state {
            State::Waiting { due_ms, .. } => self.waiting.remove(&(due_ms, key.clone())),
            State::Running { overlong_ms, .. } => self.running.remove(&(overlong_ms, key.clone())),
            State::Parked { .. } => false,
        };
    }
}

impl<K> Default for Schedule<K> {
    fn default() -> Self {
        Schedule {
            entries: HashMap::new(),
            waiting: BTreeSet::new(),
            running: BTreeSet::new(),
            running_count: 0,
        }
    }
}

impl Entry {
    fn waiting(time_ms: u64) -> Entry {
        let state = State::Waiting { time_ms, due_ms: time_ms };
        Entry { state, counted: 0, exponent: 0, was_counted: false, has_run: false }
    }

    /// The next try; `None` when there were enough (AL-6).
    fn failed(self, time_ms: u64, is_counted: bool, now_ms: u64, jitter: f64) -> Option<Entry> {
        if is_counted && self.counted >= RETRIES_MAX {
            return None;
        }
        let restarts = is_counted && !self.was_counted && self.has_run;
        let exponent = if restarts { 0 } else { self.exponent };
        let delay_ms = RETRY_DELAY_MS << exponent.min(EXPONENT_MAX);
        let due_ms = now_ms.saturating_add(delay_ms).saturating_add(share(delay_ms, jitter));
        Some(Entry {
            state: State::Waiting { time_ms, due_ms },
            counted: self.counted + u32::from(is_counted),
            exponent: exponent + 1,
            was_counted: is_counted,
            has_run: true,
        })
    }
}

/// Up to a quarter of the delay, so that what failed together is not tried together.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
fn share(delay_ms: u64, jitter: f64) -> u64 {
    (delay_ms as f64 * 0.25 * jitter.clamp(0.0, 1.0)) as u64
}

/// Tries after the first that are made of an alarm whose handler fails (AL-6).
const RETRIES_MAX: u32 = 6;
const RETRY_DELAY_MS: u64 = 2_000;
/// About 17 minutes.
const EXPONENT_MAX: u32 = 9;
/// A handler's time (AL-8).
const RUN_MS_MAX: u64 = 15 * 60 * 1000;
/// Handlers of one shard that run at a time: a crowd of alarms must not fill the queues that
/// requests wait in.
pub const ALARMS_RUNNING_MAX: usize = 1_000;

#[cfg(test)]
mod tests;
