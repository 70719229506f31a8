//! Runs of exported `test()` handlers, and what tests may do to the process (`beryl test`).
//!
//! A test is an event of a stateless entrypoint, like a run of `scheduled()`: it is over when what
//! the handler returned and everything given to `waitUntil` is settled.

use std::rc::{Rc, Weak};

use crate::actor_id::ActorId;
use crate::code::WorkerCode;
use crate::entrypoint::Reply;
use crate::event::{Delivery, Entry, Event, EventKind};
use crate::instance::Instance;
use crate::shard::Shard;
use crate::stub::reply;

/// What the isolate of a tested worker is told before its code is loaded.
pub(crate) fn preparation(code: &WorkerCode) -> Option<(u32, u32, u32)> {
    let is_tested = code.env.bindings().is_some_and(|bindings| bindings.is_tested);
    is_tested.then(|| Delivery::Test(0, 0).numbers())
}

impl Shard {
    /// The exports with a `test()` of the configured worker at a place, in the order in which they
    /// run.
    #[must_use]
    pub fn names_of_tests(self: &Rc<Self>, place: usize) -> Reply<Vec<String>> {
        self.deliver_test(place, Entry::default())
    }

    /// Runs the `test()` of an export; gives the names of what it used and Beryl has not.
    #[must_use]
    pub fn run_test(self: &Rc<Self>, place: usize, export: &str) -> Reply<Vec<String>> {
        self.deliver_test(place, Entry { name: export.to_owned(), ..Entry::default() })
    }

    fn deliver_test(self: &Rc<Self>, place: usize, entry: Entry) -> Reply<Vec<String>> {
        let (answer, reply) = reply();
        self.outside(move |shard| {
            let event = Event { actor: None, entry, kind: EventKind::Test(answer) };
            match shard.configured_worker(place) {
                Ok(worker) => worker.instance.deliver(event),
                Err(error) => event.fail(error),
            }
        });
        reply
    }

    /// True if nothing goes on here that could still settle a promise.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        let workers = self.workers.borrow();
        let mut instances = workers.values().filter_map(Weak::upgrade);
        self.alarms().next_due().is_none()
            && instances.all(|worker| worker.instance.waits_for_nothing())
    }

    /// Lets an object leave memory as if it had been idle for long enough; its hibernatable
    /// WebSockets stay open. False if it is not in memory or is busy.
    #[must_use]
    pub fn evict_object(self: &Rc<Self>, key: &str, id: &ActorId) -> bool {
        let Some(slot) = self.known_root_slot(key, id) else { return false };
        match slot.actor() {
            Some(actor) if !actor.is_busy() => {
                slot.take();
                actor.evict();
                true
            }
            _ => false,
        }
    }
}

impl Instance {
    /// A test has passed, or the question which there are is answered.
    pub fn end_test(&self, event: u32, names: Vec<String>) {
        let event = self.events.borrow_mut().remove(event);
        if let Some(Event { kind: EventKind::Test(answer), .. }) = event {
            // Whoever asked may have given up.
            let _ = answer.send(Ok(names));
        }
    }
}
