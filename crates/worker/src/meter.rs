//! Limits of single invocations: what an event of a worker may use, and what it used
//! (`spec/workers.md` WL-47).
//!
//! Only workers that were given limits or tails are metered. What runs after a promise settles or
//! a timer fires is charged to the event that made the promise or the timer.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::capability::Capability;
use crate::error::Error;
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
}

struct Meter {
    limits: InvocationLimits,
    cpu: Duration,
    sub_requests: u32,
    /// Until it is sent.
    trace: Option<Box<Trace>>,
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
    let (shard, instance) = (Rc::clone(instance.shard()), Rc::downgrade(instance));
    shard.spawn(async move {
        tokio::time::sleep(Duration::from_millis(limit_ms.into())).await;
        if let Some(instance) = instance.upgrade() {
            instance.fail(event, Error::AppWall { limit_ms });
        }
    });
}

impl Meters {
    /// The meters of a worker that these hear of.
    pub fn new(shard: &Rc<Shard>, targets: &Arc<[Capability]>) -> Meters {
        let tails = || Rc::new(Tails { shard: Rc::clone(shard), targets: Arc::clone(targets) });
        Meters { tails: (!targets.is_empty()).then(tails), ..Meters::default() }
    }

    /// Begins the trace of an event, if anybody wants to hear of it.
    pub fn trace(&self, event: &Event) -> Option<Box<Trace>> {
        self.tails.as_ref()?.begin(event)
    }

    fn add(&self, event: u32, limits: InvocationLimits, trace: Option<Box<Trace>>) {
        self.is_used.set(true);
        let mut events = self.events.borrow_mut();
        if events.len() >= METERS_MAX {
            // Events that ended long ago; theirs can no longer do much.
            let oldest = events.keys().min_by_key(|known| event.wrapping_sub(**known)).copied();
            oldest.map(|oldest| events.remove(&oldest));
        }
        events.insert(event, Meter { limits, cpu: Duration::ZERO, sub_requests: 0, trace });
    }

    /// Looks at the trace of an event.
    pub fn with_trace(&self, event: u32, f: impl FnOnce(&mut Trace)) {
        if let Some(Meter { trace: Some(trace), .. }) = self.events.borrow_mut().get_mut(&event) {
            f(trace);
        }
    }

    /// An event is over; who traces it hears of it once it no longer runs.
    pub fn answered(&self, event: u32, failure: Option<&Error>, response: Option<&Response>) {
        if self.tails.is_none() {
            return;
        }
        self.with_trace(event, |trace| trace.answered(failure, response));
        if self.current.get() != Some(event) {
            self.send(event);
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

    /// The metered event that a delivery belongs to.
    pub fn event(&self, delivery: Delivery) -> Option<u32> {
        if !self.is_used.get() {
            return None;
        }
        let event = match delivery {
            Delivery::Settle(slot, _) => self.slots.borrow_mut().remove(&slot)?,
            Delivery::Timer(timer) => self.timers.borrow().get(&timer).copied()?,
            other => other.event()?,
        };
        self.events.borrow().contains_key(&event).then_some(event)
    }

    /// The event begins to run; gives the CPU time it has left and its limit, if it has one.
    pub fn enter(&self, event: u32) -> Option<(Duration, u32)> {
        self.current.set(Some(event));
        let events = self.events.borrow();
        let meter = events.get(&event)?;
        let limit_ms = meter.limits.cpu_ms?;
        let limit = Duration::from_millis(limit_ms.into());
        Some((limit.saturating_sub(meter.cpu), limit_ms))
    }

    /// The event stops running; an error if it has used more than it may.
    pub fn leave(&self, event: u32, spent: Duration) -> Result<(), Error> {
        self.current.set(None);
        let mut events = self.events.borrow_mut();
        let Some(meter) = events.get_mut(&event) else { return Ok(()) };
        meter.cpu += spent;
        let limit = meter.limits.cpu_ms;
        let is_over = limit.filter(|limit| meter.cpu > Duration::from_millis((*limit).into()));
        drop(events);
        if self.tails.is_some() {
            self.send(event);
        }
        is_over.map_or(Ok(()), |limit| Err(Error::AppCpu { limit_ms: limit.into() }))
    }

    /// A promise is made in the event that runs.
    pub fn note_slot(&self, slot: u32) {
        if let Some(event) = self.current.get() {
            self.slots.borrow_mut().insert(slot, event);
        }
    }

    /// A timer is started in the event that runs.
    pub fn note_timer(&self, timer: u32) {
        if let Some(event) = self.current.get() {
            self.timers.borrow_mut().insert(timer, event);
        }
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
            Some(limit) if meter.sub_requests > limit => Err(Error::AppSubRequests { limit }),
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
        assert_eq!(meters.event(Delivery::Fetch(7, 0)), None);
        meters.add(7, CPU, None);
        assert_eq!(meters.event(Delivery::Fetch(7, 0)), Some(7));
        assert_eq!(meters.event(Delivery::Fetch(8, 0)), None);
        assert_eq!(meters.enter(7), Some((Duration::from_millis(10), 10)));
        meters.note_slot(1);
        meters.note_timer(2);
        assert!(meters.leave(7, Duration::from_millis(6)).is_ok());
        let settle = Delivery::Settle(1, SettledForm::Plain);
        assert_eq!(meters.event(settle), Some(7));
        assert_eq!(meters.event(settle), None);
        assert_eq!(meters.event(Delivery::Timer(2)), Some(7));
        assert_eq!(meters.enter(7), Some((Duration::from_millis(4), 10)));
        let error = meters.leave(7, Duration::from_millis(5)).unwrap_err();
        assert!(matches!(error, Error::AppCpu { limit_ms: 10 }));
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
