//! One thread that ends turns of JavaScript that run too long.
//!
//! Level-triggered: it repeats the termination until the shard reports that it left the
//! isolate, because V8 can lose a single request. Time is the shard's thread CPU clock, so a
//! shard that waits for a processor is not charged. Entering costs the shard one lock that is
//! never contended, and no system call.
//!
//! Some built-ins of V8 never look whether they should end. What has not ended some time after its
//! limit ends with the process, which is blamed on whose code it was ([`crate::blame`]).
//!
//! The first request to end is an interrupt that notes which code ran and then terminates; V8 takes
//! it where it takes a termination. From the second look on it is the termination itself.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deno_core::v8::{self, IsolateHandle};

use crate::blame::{self, Blame, Label, Place};
use crate::breach::{self, Breach};

/// The watchdog thread's view of all shards; dropping it ends the thread.
pub struct Watchdog {
    slots: Arc<Mutex<Vec<Arc<WatchSlot>>>>,
    stop: Arc<AtomicBool>,
    limit: Duration,
    blame: Blame,
}

/// The place where shards register.
#[derive(Clone)]
pub struct WatchSlots {
    slots: Arc<Mutex<Vec<Arc<WatchSlot>>>>,
    limit: Duration,
    blame: Blame,
}

/// What one shard shows the watchdog: who is on its CPU, and since which entry.
pub struct WatchSlot {
    /// Odd while an isolate is entered; every entry and exit adds one.
    turn: AtomicU64,
    /// The turn that was ended for passing the limit.
    fired: AtomicU64,
    current: Mutex<Option<IsolateHandle>>,
    /// True from the moment a turn is ended until the next one begins.
    interrupt: Arc<AtomicBool>,
    clock: libc::clockid_t,
    limit: Duration,
    /// Nanoseconds on the clock at which what runs must end, before the limit of the turn; 0 for
    /// none.
    deadline: AtomicU64,
    /// The limit behind the deadline, for the error.
    deadline_ms: AtomicU64,
    /// The turn in which the heap was exhausted: it must end at once.
    exhausted: AtomicU64,
    /// What the clock showed in nanoseconds when the turn that was ended reached its limit.
    due: AtomicU64,
    /// The code that ran when it was.
    stack: Mutex<Option<Arc<str>>>,
    place: &'static Place,
}

impl Watchdog {
    /// Starts the thread. `limit` is the CPU time of one turn; who does not end then is noted in
    /// `blame`.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(limit: Duration, blame: Blame) -> std::io::Result<Watchdog> {
        blame::watch_signals();
        let slots: Arc<Mutex<Vec<Arc<WatchSlot>>>> = Arc::default();
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, ended) = (Arc::clone(&slots), Arc::clone(&stop));
        std::thread::Builder::new().name("watchdog".into()).spawn(move || {
            let mut watches = Vec::new();
            while !ended.load(Ordering::Relaxed) {
                std::thread::sleep(TICK);
                let slots = seen.lock().unwrap_or_else(PoisonError::into_inner);
                watches.resize_with(slots.len(), Watch::default);
                for (slot, watch) in slots.iter().zip(&mut watches) {
                    watch.look(slot);
                }
            }
        })?;
        Ok(Watchdog { slots, stop, limit, blame })
    }

    /// What a thread needs to register itself as a shard.
    #[must_use]
    pub fn slots(&self) -> WatchSlots {
        WatchSlots { slots: Arc::clone(&self.slots), limit: self.limit, blame: self.blame }
    }
}

impl WatchSlots {
    /// Registers the calling thread as the shard of this number.
    ///
    /// # Errors
    /// When the thread has no CPU clock.
    pub fn register(&self, shard: usize) -> std::io::Result<Arc<WatchSlot>> {
        let place = self.blame.place(shard);
        place.claim();
        let mut clock = 0;
        // SAFETY: `pthread_self` is the living calling thread, `clock` a valid place to write.
        let code = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) };
        if code != 0 {
            return Err(std::io::Error::from_raw_os_error(code));
        }
        let slot = Arc::new(WatchSlot {
            turn: AtomicU64::new(0),
            fired: AtomicU64::new(0),
            current: Mutex::new(None),
            interrupt: Arc::default(),
            clock,
            limit: self.limit,
            deadline: AtomicU64::new(0),
            deadline_ms: AtomicU64::new(0),
            exhausted: AtomicU64::new(0),
            due: AtomicU64::new(0),
            stack: Mutex::default(),
            place,
        });
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&slot));
        Ok(slot)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl WatchSlot {
    /// A flag that is up while native code of the turn should stop as well, such as a long SQL
    /// statement, which V8 cannot end.
    #[must_use]
    pub fn interrupt(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.interrupt)
    }

    /// Announces that an isolate is on the CPU from now on; returns the turn's number.
    pub(crate) fn enter(&self, handle: &IsolateHandle, label: &Label) -> u64 {
        self.place.enter(label);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle.clone());
        self.interrupt.store(false, Ordering::Relaxed);
        self.turn.fetch_add(1, Ordering::Release) + 1
    }

    /// Announces that what runs from now on is another turn; gives its number.
    pub(crate) fn next_turn(&self) -> u64 {
        // Under the lock, so that the watchdog ends either turn and knows which.
        let _current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        self.turn.fetch_add(2, Ordering::Release) + 2
    }

    /// Announces that it left. From now on no termination can be sent to it.
    pub(crate) fn exit(&self) {
        self.turn.fetch_add(1, Ordering::Release);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.place.exit();
    }

    /// The heap of what runs is exhausted: the turn ends as if it had passed its limit.
    pub(crate) fn end_exhausted(&self, handle: &IsolateHandle) {
        self.exhausted.store(self.turn.load(Ordering::Relaxed), Ordering::Release);
        self.interrupt_with_note(handle);
    }

    /// What was passed if this turn was ended for passing its CPU limit.
    pub(crate) fn breach(&self, turn: u64) -> Option<Breach> {
        if self.fired.load(Ordering::Acquire) != turn {
            return None;
        }
        let due = Duration::from_nanos(self.due.load(Ordering::Relaxed));
        let over = self.cpu().unwrap_or(due).saturating_sub(due).as_millis();
        let (limit, over) = (self.limit_ms(), u64::try_from(over).unwrap_or(u64::MAX));
        Some(Breach { limit, used: limit.saturating_add(over), place: self.take_stack() })
    }

    /// The code that ran when the turn was ended.
    pub(crate) fn take_stack(&self) -> Option<Arc<str>> {
        self.stack.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Has what runs note where it is and end then.
    fn interrupt_with_note(&self, handle: &IsolateHandle) {
        *self.stack.lock().unwrap_or_else(PoisonError::into_inner) = None;
        handle.request_interrupt(note_and_end, std::ptr::from_ref(self).cast_mut().cast());
    }

    /// True while the turn that runs was told to end.
    fn is_ending(&self) -> bool {
        let turn = self.turn.load(Ordering::Acquire);
        [&self.fired, &self.exhausted].iter().any(|ended| ended.load(Ordering::Acquire) == turn)
    }

    /// The CPU limit that was passed in milliseconds: that of the turn, unless what ran in it has
    /// a lower one.
    fn limit_ms(&self) -> u64 {
        match self.deadline_ms.load(Ordering::Relaxed) {
            0 => u64::try_from(self.limit.as_millis()).unwrap_or(u64::MAX),
            limit_ms => limit_ms,
        }
    }

    /// What runs now must end before the clock shows `deadline`.
    pub(crate) fn set_deadline(&self, deadline: Duration, limit_ms: u32) {
        self.deadline_ms.store(limit_ms.into(), Ordering::Relaxed);
        let nanos = u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX);
        self.deadline.store(nanos.max(1), Ordering::Release);
    }

    /// What runs next has the limit of the turn only.
    pub(crate) fn clear_deadline(&self) {
        self.deadline.store(0, Ordering::Release);
        self.deadline_ms.store(0, Ordering::Relaxed);
    }

    /// The deadline, once it is past.
    fn past_deadline(&self, cpu: Duration) -> Option<Duration> {
        let deadline = self.deadline.load(Ordering::Acquire);
        let deadline = (deadline != 0).then(|| Duration::from_nanos(deadline))?;
        (cpu >= deadline).then_some(deadline)
    }

    /// The CPU time that the shard's thread has used.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is a valid place to write; a clock of an ended thread is an error code.
        let code = unsafe { libc::clock_gettime(self.clock, &raw mut time) };
        let seconds = u64::try_from(time.tv_sec).ok()?;
        (code == 0).then(|| Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0)))
    }
}

/// What the watchdog remembers of a slot between two looks.
#[derive(Default)]
struct Watch {
    turn: u64,
    since: Duration,
    /// When it was told to end, by the clock of the thread and that of the wall.
    told: Option<(Duration, Instant)>,
}

impl Watch {
    fn look(&mut self, slot: &WatchSlot) {
        let turn = slot.turn.load(Ordering::Acquire);
        if turn.is_multiple_of(2) {
            return;
        }
        let Some(cpu) = slot.cpu() else { return };
        if turn != self.turn {
            *self = Watch { turn, since: cpu, told: None };
        }
        let is_exhausted = slot.exhausted.load(Ordering::Acquire) == turn;
        let is_over = is_exhausted || cpu.saturating_sub(self.since) >= slot.limit;
        if !is_over && slot.past_deadline(cpu).is_none() {
            return;
        }
        let current = slot.current.lock().unwrap_or_else(PoisonError::into_inner);
        // The shard may have moved on while the clock was read; under the lock it cannot.
        let deadline = slot.past_deadline(cpu);
        let is_still_over = is_over || deadline.is_some();
        let is_same = slot.turn.load(Ordering::Acquire) == turn;
        if let (Some(handle), true) = (&*current, is_same && is_still_over) {
            if self.told.is_none() {
                let due = deadline.unwrap_or(self.since + slot.limit).min(cpu);
                let due = u64::try_from(due.as_nanos()).unwrap_or(u64::MAX);
                slot.due.store(due, Ordering::Relaxed);
            }
            slot.fired.store(turn, Ordering::Release);
            slot.interrupt.store(true, Ordering::Relaxed);
            match self.told {
                None => slot.interrupt_with_note(handle),
                Some(_) => drop(handle.terminate_execution()),
            }
            let (told_cpu, told) = *self.told.get_or_insert_with(|| (cpu, Instant::now()));
            if cpu.saturating_sub(told_cpu) >= GRACE || told.elapsed() >= GRACE_AT_MOST {
                end_process(slot);
            }
        }
    }
}

/// Runs on the shard, amid the JavaScript that is to end.
///
/// # Safety
/// Only V8 calls it, on the isolate's thread, with the slot that the isolate holds.
unsafe extern "C" fn note_and_end(isolate: v8::UnsafeRawIsolatePtr, slot: *mut c_void) {
    // SAFETY: the isolate holds its slot, and V8 drops the requests of an isolate with it.
    let slot = unsafe { &*slot.cast_const().cast::<WatchSlot>() };
    // A request that was taken too late for its turn must not end the next one.
    if !slot.is_ending() {
        return;
    }
    // SAFETY: V8 calls back on the isolate's thread, and nobody else uses it meanwhile.
    let mut isolate = unsafe { v8::Isolate::from_raw_isolate_ptr(isolate) };
    let stack = breach::running(&mut isolate);
    *slot.stack.lock().unwrap_or_else(PoisonError::into_inner) = stack;
    isolate.terminate_execution();
}

/// The last resort. Under the lock of the slot, so that the turn cannot have ended.
fn end_process(slot: &WatchSlot) -> ! {
    slot.place.is_stuck();
    let code = slot.place.label();
    tracing::error!(code, "JavaScript cannot be stopped; ending the process");
    // SAFETY: ends this process and touches no memory.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    std::process::abort()
}

/// How often the watchdog looks; a limit is passed by at most this much.
const TICK: Duration = Duration::from_millis(10);

/// CPU time that a turn may take to end once it is told to; what listens takes milliseconds, also
/// where it has to collect a full heap first.
const GRACE: Duration = Duration::from_millis(1_500);

/// The same by the clock of the wall, for a thread that waits.
const GRACE_AT_MOST: Duration = Duration::from_secs(10);
