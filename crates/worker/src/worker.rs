//! A running worker: one isolate and its host side.

use std::rc::Rc;
use std::sync::Arc;

use isolate::{Entered, Isolate, Label};

use crate::code::WorkerCode;
use crate::error::Error;
use crate::event::Delivery;
use crate::instance::Instance;
use crate::limits::DELIVERIES_PER_TURN_MAX;
use crate::meter::Budget;
use crate::shard::Shard;
use crate::testing;

/// A worker that runs on a shard. Its isolate is dropped by the shard, at a moment when no
/// isolate is entered.
pub struct Worker {
    /// The host side, shared with the isolate's ops.
    pub instance: Rc<Instance>,
    id: u64,
    isolate: Option<Isolate>,
}

impl Worker {
    /// Takes an isolate and loads the code into it. Never called while an isolate is entered.
    ///
    /// # Errors
    /// [`Error::AppStart`] and its kin when the code does not start.
    pub(crate) fn start(shard: &Rc<Shard>, code: &WorkerCode) -> Result<Rc<Worker>, Error> {
        if let Some(app) = &code.app {
            shard.quarantine().check(app, shard.clock().now_ms())?;
        }
        let isolate = shard.take_blank()?;
        isolate.set_label(code.app.as_deref().map(Label::new).unwrap_or_default());
        let instance = Rc::new(Instance::new(code.clone(), Rc::clone(shard)));
        let id = shard.next_number();
        let loaded = {
            let mut entered = isolate.enter()?;
            entered.put(Rc::clone(&instance));
            if let Some(mb) = code.limits.memory_mb {
                entered.limit_heap((mb as usize) << 20);
            }
            let allowed = entered.allow_node(code.node);
            let waker = shard.wake_queue().waker(id);
            let prepared = allowed.and_then(|()| match testing::preparation(code) {
                Some((kind, a, b)) => entered.dispatch(kind, a, b),
                None => Ok(()),
            });
            prepared.and_then(|()| entered.load(Arc::clone(&code.bundle), &waker))
        };
        let worker = Rc::new(Worker { instance, id, isolate: Some(isolate) });
        worker.instance.attach(&worker);
        loaded?;
        shard.register(&worker);
        Ok(worker)
    }

    /// Gives memory back that its isolate does not need; false if there was none.
    pub(crate) fn give_memory_back(&self) -> bool {
        self.isolate.as_ref().is_some_and(Isolate::give_memory_back)
    }

    /// The number by which the engine's wakers know this worker.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// True until its isolate was condemned.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.isolate.as_ref().is_some_and(|isolate| isolate.condemned().is_none())
    }

    /// Delivers what waits, up to a limit per turn.
    pub(crate) fn turn(&self) {
        let Some(isolate) = self.isolate.as_ref().filter(|_| self.is_alive()) else { return };
        let outcome = isolate.enter().and_then(|mut entered| {
            for number in 0..DELIVERIES_PER_TURN_MAX {
                let Some(delivery) = self.instance.next_delivery() else { return Ok(()) };
                if number > 0 {
                    // Who waited together does not share a limit.
                    entered.next_turn()?;
                }
                self.deliver(&mut entered, delivery)?;
            }
            self.instance.reschedule();
            Ok(())
        });
        self.after(isolate, outcome);
    }

    fn deliver(&self, entered: &mut Entered<'_>, delivery: Delivery) -> Result<(), isolate::Error> {
        let (kind, a, b) = delivery.numbers();
        let meters = &self.instance.meters;
        let Some(event) = meters.event(delivery) else { return entered.dispatch(kind, a, b) };
        let limit = match meters.enter(event) {
            Budget::Exact(limit) => limit,
            Budget::Coarse(began) => {
                let outcome = entered.dispatch(kind, a, b);
                meters.leave_coarse(event, began);
                return outcome;
            }
        };
        let (outcome, spent) = entered.dispatch_limited((kind, a, b), limit);
        let allowed = meters.leave(event, spent);
        outcome?;
        if let Err(error) = allowed {
            self.instance.fail(event, error);
        }
        Ok(())
    }

    /// Lets the engine do what it has to do.
    pub(crate) fn poll(&self) {
        let Some(isolate) = self.isolate.as_ref().filter(|_| self.is_alive()) else { return };
        let waker = self.instance.shard().wake_queue().waker(self.id);
        let mut cx = std::task::Context::from_waker(&waker);
        let outcome = isolate.enter().and_then(|mut entered| entered.poll(&mut cx).map(|_| ()));
        self.after(isolate, outcome);
    }

    fn after(&self, isolate: &Isolate, outcome: Result<(), isolate::Error>) {
        match (outcome, isolate.condemned()) {
            (_, Some(cause)) => self.break_with(&cause.clone().into()),
            (Err(error), None) => {
                isolate.condemn(isolate::Condemned::Terminated);
                self.break_with(&error.into());
            }
            (Ok(()), None) => {}
        }
    }

    /// Fails everything that waits for this worker; it never runs again.
    pub(crate) fn break_with(&self, error: &Error) {
        tracing::warn!(worker = &*self.instance.code.name, %error, "worker ended");
        if let Some(isolate) = &self.isolate {
            isolate.condemn(isolate::Condemned::Terminated);
        }
        for actor in self.instance.actors() {
            actor.break_with(error);
        }
        self.instance.meters.end_all(error);
        self.instance.fail_events(error, |_| true);
        self.instance.stop();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.instance.stop();
        if let Some(isolate) = self.isolate.take() {
            self.instance.shard().bury(self.id, isolate);
        }
    }
}
