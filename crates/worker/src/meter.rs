//! Limits of single invocations: what an event of a worker may use, and what it used
//! (`spec/workers.md` WL-47).
//!
//! What runs after a promise settles or a timer fires is charged to the event that made the promise
//! or the timer. A worker that was given limits or tails is metered by the clock of the thread. Of
//! all others, only events that outlive their first turn are, until their answer: by the clock of
//! the wall, which costs less, until they have used a quarter of what they may.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

use crate::code::Tail;
use crate::error::{Breach, Error};
use crate::event::{Delivery, Event};
use crate::instance::Instance;
use crate::message::Response;
use crate::shard::Shard;
use crate::trace::{Tails, Trace};

/// What one invocation may use; unset is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InvocationLimits {
    /// CPU time of JavaScript in milliseconds.
    pub cpu_ms: Option<u32>,
    /// Requests and calls to other entrypoints.
    pub sub_requests: Option<u32>,
    /// Time from its delivery to its answer, in milliseconds.
    pub wall_ms: Option<u32>,
}

impl InvocationLimits {
    /// True if nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == InvocationLimits::default()
    }

    /// The lower of each.
    #[must_use]
    pub fn and(self, other: InvocationLimits) -> InvocationLimits {
        let lower = |a: Option<u32>, b: Option<u32>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        InvocationLimits {
            cpu_ms: lower(self.cpu_ms, other.cpu_ms),
            sub_requests: lower(self.sub_requests, other.sub_requests),
            wall_ms: lower(self.wall_ms, other.wall_ms),
        }
    }
}

/// The metered events of one isolate.
#[derive(Default)]
pub(crate) struct Meters {
    is_used: Cell<bool>,
    events: RefCell<HashMap<u32, Meter>>,
    /// The events that promises and timers belong to.
    slots: RefCell<HashMap<u32, u32>>,
    timers: RefCell<HashMap<u32, u32>>,
    /// The event that runs.
    current: Cell<Option<u32>>,
    tails: Option<Rc<Tails>>,
    /// The CPU time that an event without limits of its own may use; 0 for any.
    default_cpu_ms: u32,
}

#[derive(Default)]
struct Meter {
    limits: InvocationLimits,
    /// It has the limits that every event has.
    is_default: bool,
    cpu: Duration,
    sub_requests: u32,
    /// Until it is sent.
    trace: Option<Box<Trace>>,
    /// What fails it once its time is over, until its answer.
    wall_timer: Option<AbortHandle>,
}

/// Meters an event of a worker from now on, and fails it once its time is over.
pub(crate) fn begin(
    instance: &Rc<Instance>,
    event: u32,
    limits: InvocationLimits,
    trace: Option<Box<Trace>>,
) {
    instance.meters.add(event, limits, trace);
    let Some(limit_ms) = limits.wall_ms else { return };
    let weak = Rc::downgrade(instance);
    let timer = instance.shard().spawn(async move {
        tokio::time::sleep(Duration::from_millis(limit_ms.into())).await;
        if let Some(instance) = weak.upgrade() {
            let limit = limit_ms.into();
            let breach = Breach { limit, used: limit, place: None };
            instance.fail(event, Error::AppWall(breach.into()));
        }
    });
    if let Some(meter) = instance.meters.events.borrow_mut().get_mut(&event) {
        meter.wall_timer = Some(timer);
    }
}

/// How the CPU time of a delivery is measured.
pub(crate) enum Budget {
    /// By the clock of the wall, from here on.
    Coarse(Instant),
    /// By that of the thread, with what is left and the limit in milliseconds.
    Exact(Option<(Duration, u32)>),
}

impl Meters {
    /// The meters of a worker that these hear of.
    pub fn new(shard: &Rc<Shard>, targets: &Arc<[Tail]>) -> Meters {
        let tails = || Rc::new(Tails { shard: Rc::clone(shard), targets: Arc::clone(targets) });
        let default_cpu_ms = u32::try_from(shard.limits().cpu_ms).unwrap_or(u32::MAX);
        Meters { tails: (!targets.is_empty()).then(tails), default_cpu_ms, ..Meters::default() }
    }

    /// Begins the trace of an event, if anybody wants to hear of it.
    pub fn trace(&self, event: &Event) -> Option<Box<Trace>> {
        self.tails.as_ref()?.begin(event)
    }

    fn add(&self, event: u32, limits: InvocationLimits, trace: Option<Box<Trace>>) {
        self.insert(event, Meter { limits, trace, ..Meter::default() });
    }

    fn insert(&self, event: u32, meter: Meter) {
        self.is_used.set(true);
        let mut events = self.events.borrow_mut();
        if events.len() >= METERS_MAX {
            // Of the events with the lowest numbers most ended long ago; theirs can no longer do
            // much.
            let mut numbers: Vec<u32> = events.keys().copied().collect();
            numbers.sort_unstable_by_key(|known| event.wrapping_sub(*known));
            for number in numbers.drain(METERS_MAX / 2..) {
                events.remove(&number);
            }
        }
        events.insert(event, meter);
    }

    /// Begins to meter an event that outlives its first turn.
    fn meter_default(&self, event: u32) {
        let limits = InvocationLimits { cpu_ms: Some(self.default_cpu_ms), ..Default::default() };
        self.insert(event, Meter { limits, is_default: true, ..Meter::default() });
    }

    /// Looks at the trace of an event.
    pub fn with_trace(&self, event: u32, f: impl FnOnce(&mut Trace)) {
        if let Some(Meter { trace: Some(trace), .. }) = self.events.borrow_mut().get_mut(&event) {
            f(trace);
        }
    }

    /// An event is over; who traces it hears of it once it no longer runs.
    pub fn answered(&self, event: u32, failure: Option<&Error>, response: Option<&Response>) {
        if !self.is_used.get() {
            return;
        }
        self.stop_wall_timer(event);
        if self.tails.is_none() {
            let mut events = self.events.borrow_mut();
            // What goes on after the answer has the limit of the turn.
            if events.get(&event).is_some_and(|meter| meter.is_default) {
                events.remove(&event);
            }
            return;
        }
        self.with_trace(event, |trace| trace.answered(failure, response));
        if self.current.get() != Some(event) {
            self.send(event);
        }
    }

    /// A worker with many short events and a long limit must not keep a timer for each.
    fn stop_wall_timer(&self, event: u32) {
        let mut events = self.events.borrow_mut();
        if let Some(timer) = events.get_mut(&event).and_then(|meter| meter.wall_timer.take()) {
            timer.abort();
        }
    }

    /// The worker ends with all its events.
    pub fn end_all(&self, error: &Error) {
        self.current.set(None);
        let events: Vec<u32> = self.events.borrow().keys().copied().collect();
        for event in events {
            self.answered(event, Some(error), None);
        }
    }

    fn send(&self, event: u32) {
        let mut events = self.events.borrow_mut();
        let Some(meter) = events.get_mut(&event) else { return };
        let cpu = meter.cpu;
        let trace = meter.trace.take_if(|trace| trace.is_over());
        drop(events);
        if let Some(trace) = trace {
            trace.send(cpu);
        }
    }

    /// The event that a delivery belongs to, as far as it is known.
    pub fn event(&self, delivery: Delivery) -> Option<u32> {
        match delivery {
            Delivery::Settle(..) | Delivery::Timer(_) if !self.is_used.get() => None,
            Delivery::Settle(slot, _) => self.slots.borrow_mut().remove(&slot),
            Delivery::Timer(timer) => self.timers.borrow_mut().remove(&timer),
            other => other.event(),
        }
    }

    /// The event begins to run.
    pub fn enter(&self, event: u32) -> Budget {
        self.current.set(Some(event));
        if !self.is_used.get() {
            return Budget::Coarse(Instant::now());
        }
        let events = self.events.borrow();
        let Some(meter) = events.get(&event) else { return Budget::Coarse(Instant::now()) };
        let Some(limit_ms) = meter.limits.cpu_ms else { return Budget::Exact(None) };
        let limit = Duration::from_millis(limit_ms.into());
        if meter.is_default && meter.cpu < limit / 4 {
            return Budget::Coarse(Instant::now());
        }
        Budget::Exact(Some((limit.saturating_sub(meter.cpu), limit_ms)))
    }

    /// The event stops running, measured by the clock of the wall.
    pub fn leave_coarse(&self, event: u32, began: Instant) {
        self.current.set(None);
        if !self.is_used.get() {
            return;
        }
        if let Some(meter) = self.events.borrow_mut().get_mut(&event) {
            meter.cpu += began.elapsed();
        }
    }

    /// The event stops running; an error if it has used more than it may.
    pub fn leave(&self, event: u32, spent: Duration) -> Result<(), Error> {
        self.current.set(None);
        let mut events = self.events.borrow_mut();
        let Some(meter) = events.get_mut(&event) else { return Ok(()) };
        meter.cpu += spent;
        let limit = meter.limits.cpu_ms;
        let used = meter.cpu;
        let is_over = limit.filter(|limit| used > Duration::from_millis((*limit).into()));
        drop(events);
        if self.tails.is_some() {
            self.send(event);
        }
        let Some(limit) = is_over else { return Ok(()) };
        let used = u64::try_from(used.as_millis()).unwrap_or(u64::MAX);
        Err(Error::AppCpu(Breach { limit: limit.into(), used, place: None }.into()))
    }

    /// A promise is made in the event that runs; `is_open` says whether that is not answered yet.
    pub fn note_slot(&self, slot: u32, is_open: impl Fn(u32) -> bool) {
        if let Some(event) = self.outliving(is_open) {
            self.slots.borrow_mut().insert(slot, event);
        }
    }

    /// A timer is started in the event that runs; `is_open` as above.
    pub fn note_timer(&self, timer: u32, is_open: impl Fn(u32) -> bool) {
        if let Some(event) = self.outliving(is_open) {
            self.timers.borrow_mut().insert(timer, event);
        }
    }

    /// The event that runs, if it is metered; it is from now on if it may outlive this turn.
    fn outliving(&self, is_open: impl Fn(u32) -> bool) -> Option<u32> {
        let event = self.current.get()?;
        if self.events.borrow().contains_key(&event) {
            return Some(event);
        }
        if self.default_cpu_ms == 0 || !is_open(event) {
            return None;
        }
        self.meter_default(event);
        Some(event)
    }

    /// A timer will not fire again.
    pub fn drop_timer(&self, timer: u32) {
        if self.is_used.get() {
            self.timers.borrow_mut().remove(&timer);
        }
    }

    /// Counts a request or call that the event that runs makes.
    pub fn count_sub_request(&self) -> Result<(), Error> {
        let Some(event) = self.current.get() else { return Ok(()) };
        let mut events = self.events.borrow_mut();
        let Some(meter) = events.get_mut(&event) else { return Ok(()) };
        meter.sub_requests += 1;
        match meter.limits.sub_requests {
            Some(limit) if meter.sub_requests > limit => {
                let used = meter.sub_requests.into();
                let breach = Breach { limit: limit.into(), used, place: None };
                Err(Error::AppSubRequests(breach.into()))
            }
            _ => Ok(()),
        }
    }
}

/// Events that are metered at a time, those that ended last among them.
const METERS_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::SettledForm;

    const CPU: InvocationLimits =
        InvocationLimits { cpu_ms: Some(10), sub_requests: Some(1), wall_ms: None };

    #[test]
    fn the_lower_limit_holds() {
        let other = InvocationLimits { cpu_ms: Some(20), sub_requests: None, wall_ms: Some(5) };
        let both = InvocationLimits { wall_ms: Some(5), ..CPU };
        assert_eq!((CPU.and(other), other.and(CPU)), (both, both));
    }

    #[test]
    fn cpu_time_adds_up_over_what_an_event_started() {
        let meters = Meters::default();
        meters.add(7, CPU, None);
        assert_eq!(meters.event(Delivery::Fetch(7, 0)), Some(7));
        assert_eq!(left(&meters, 7), Some((Duration::from_millis(10), 10)));
        meters.note_slot(1, |_| true);
        meters.note_timer(2, |_| true);
        assert!(meters.leave(7, Duration::from_millis(6)).is_ok());
        let settle = Delivery::Settle(1, SettledForm::Plain);
        assert_eq!(meters.event(settle), Some(7));
        assert_eq!(meters.event(settle), None);
        assert_eq!(meters.event(Delivery::Timer(2)), Some(7));
        assert_eq!(left(&meters, 7), Some((Duration::from_millis(4), 10)));
        let error = meters.leave(7, Duration::from_millis(5)).unwrap_err();
        let breach = error.breach().unwrap();
        assert_eq!((error.code(), breach.limit, breach.used), ("cpu_limit", 10, 11));
    }

    fn left(meters: &Meters, event: u32) -> Option<(Duration, u32)> {
        match meters.enter(event) {
            Budget::Exact(left) => left,
            Budget::Coarse(_) => None,
        }
    }

    #[test]
    fn an_event_without_limits_is_metered_once_it_outlives_its_turn_and_until_its_answer() {
        let meters = Meters { default_cpu_ms: 100, ..Meters::default() };
        assert_eq!(left(&meters, 7), None);
        meters.leave_coarse(7, Instant::now());
        assert!(meters.events.borrow().is_empty(), "its first turn is all it has");

        assert_eq!(left(&meters, 8), None);
        meters.note_slot(1, |event| event == 8);
        meters.leave_coarse(8, Instant::now());
        assert_eq!(meters.event(Delivery::Settle(1, SettledForm::Plain)), Some(8));
        assert_eq!(left(&meters, 8), None, "little was used");
        assert!(meters.leave(8, Duration::from_millis(30)).is_ok());
        let (rest, limit_ms) = left(&meters, 8).unwrap();
        assert!(rest <= Duration::from_millis(70) && limit_ms == 100, "{rest:?}");
        assert!(meters.leave(8, Duration::from_millis(80)).is_err());
        meters.answered(8, None, None);
        assert!(meters.events.borrow().is_empty());
        assert_eq!(left(&meters, 8), None);
        meters.note_slot(2, |_| false);
        assert!(meters.events.borrow().is_empty(), "it is over");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_answer_stops_the_timer_of_its_event() {
        let meters = Meters::default();
        let mut tasks = Vec::new();
        for event in [1, 2] {
            let task = tokio::spawn(std::future::pending::<()>());
            let wall_timer = Some(task.abort_handle());
            meters.insert(event, Meter { limits: CPU, wall_timer, ..Meter::default() });
            tasks.push(task);
        }
        meters.answered(1, None, None);
        assert!(tasks.remove(0).await.unwrap_err().is_cancelled());
        assert!(!tasks[0].is_finished());
    }

    #[test]
    fn requests_are_counted_per_event() {
        let meters = Meters::default();
        assert!(meters.count_sub_request().is_ok());
        for event in [1, 2] {
            meters.add(event, CPU, None);
            meters.enter(event);
            assert!(meters.count_sub_request().is_ok());
            assert!(meters.count_sub_request().is_err());
            assert!(meters.leave(event, Duration::ZERO).is_ok());
        }
    }
}
