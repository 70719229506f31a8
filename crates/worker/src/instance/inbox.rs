//! The inbox of an isolate: what is delivered to it, in which order and on behalf of whom.
//!
//! A delivery for an actor asks its input gate when its turn comes; one that is held waits at the
//! gate and is queued again, before all others, once the gate is open. What JavaScript starts in a
//! turn (promises, timers) belongs to the [`Context`] of that turn.

use std::rc::Rc;

use super::Instance;
use crate::actor::Actor;
use crate::code::WorkerLimits;
use crate::error::Error;
use crate::event::{Context, Delivery, Event, EventKind};
use crate::event_table::EVENTS_MAX;
use crate::input_gate::SectionId;
use crate::limits::ACTOR_WAITING_MAX;
use crate::meter;

/// How a turn changed an actor's input gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GateChange {
    /// It asked for a section.
    Asked,
    /// It was the first turn of this section.
    Entered(SectionId),
    /// It resumed what waited for the end of a section in this one.
    Left(SectionId),
}

impl Instance {
    /// Queues an event for the isolate.
    pub(crate) fn deliver(self: &Rc<Self>, event: Event) {
        let queued_max = self.shard.limits().queued_events_max.min(EVENTS_MAX);
        let queued_max = WorkerLimits::lower(self.code.limits.queued_events, queued_max);
        if self.events.borrow().len() >= queued_max {
            return event.fail(Error::OverloadQueue { queued_max });
        }
        let actor = match &event.actor {
            Some(actor) => actor.index(),
            None if event.entry.is_default() => 0,
            None => NAMED_ENTRY,
        };
        let context = match &event.actor {
            Some(_) => Context { actor, ..Context::NONE },
            None => Context::NONE,
        };
        let delivery = match &event.kind {
            EventKind::Fetch(..) => Delivery::Fetch,
            EventKind::Call(Some(call), _) if !call.is_direct() => Delivery::Invoke,
            EventKind::Call(..) => Delivery::Call,
            EventKind::Construct => Delivery::Construct,
            EventKind::Alarm(..) => Delivery::Alarm,
            EventKind::WakeFacet(..) => Delivery::WakeFacet,
            EventKind::Scheduled(..) => Delivery::Scheduled,
            EventKind::Test(_) => Delivery::Test,
            EventKind::Socket(_) => Delivery::Socket,
        };
        let of_class = event.actor.as_ref().map(|actor| actor.identity.limits);
        let of_event = of_class.unwrap_or(event.entry.limits);
        let limits = self.code.limits.invocation.and(of_event);
        let trace = self.meters.trace(&event);
        let number = self.events.borrow_mut().insert(event);
        if !limits.is_empty() || trace.is_some() {
            meter::begin(self, number, limits, trace);
        }
        self.queue(delivery(number, actor), context);
    }

    pub(crate) fn queue(&self, delivery: Delivery, context: Context) {
        self.inbox.borrow_mut().push_back((delivery, context));
        self.schedule();
    }

    /// Queues deliveries before all others, because they waited longer.
    pub(crate) fn queue_first(&self, deliveries: Vec<(Delivery, Context)>) {
        let mut inbox = self.inbox.borrow_mut();
        deliveries.into_iter().rev().for_each(|delivery| inbox.push_front(delivery));
        drop(inbox);
        self.schedule();
    }

    /// Asks the shard for a turn, unless one is coming.
    pub(crate) fn schedule(&self) {
        if !self.scheduled.replace(true)
            && let Some(worker) = self.worker()
        {
            self.shard.make_ready(worker);
        }
    }

    /// Asks for another turn after this one.
    pub(crate) fn reschedule(&self) {
        self.end_turn();
        self.scheduled.set(false);
        self.schedule();
    }

    /// What the running turn is on behalf of.
    pub(crate) fn current(&self) -> Context {
        self.current.get()
    }

    /// A number that no other critical section of this isolate has.
    pub(crate) fn next_section(&self) -> SectionId {
        let number = self.last_section.get().checked_add(1).unwrap_or(1);
        self.last_section.set(number);
        SectionId::new(number)
    }

    /// The input gate of this actor is to be looked at when the turn is over.
    pub(crate) fn settle_later(&self, actor: Rc<Actor>, change: GateChange) {
        self.unsettled.borrow_mut().push((actor, change));
    }

    /// Takes the next delivery that may be made now; the one before is over.
    pub(crate) fn next_delivery(&self) -> Option<Delivery> {
        self.end_turn();
        loop {
            let next = self.inbox.borrow_mut().pop_front();
            let Some((delivery, context)) = next else {
                self.scheduled.set(false);
                return None;
            };
            if context.actor == 0 || self.admit(delivery, context) {
                self.current.set(context);
                return Some(delivery);
            }
        }
    }

    /// Asks the actor of a delivery whether it takes it now.
    fn admit(&self, delivery: Delivery, context: Context) -> bool {
        let Some(actor) = self.actor(context.actor) else {
            self.forget_settled(delivery);
            return false;
        };
        match delivery {
            Delivery::Construct(..) => true,
            Delivery::Enter(..) => {
                self.settle_later(actor, GateChange::Entered(context.section));
                true
            }
            Delivery::Leave(..) => {
                self.settle_later(actor, GateChange::Left(context.section));
                true
            }
            Delivery::Fetch(event, _)
            | Delivery::Call(event, _)
            | Delivery::Invoke(event, _)
            | Delivery::Alarm(event, _)
            | Delivery::WakeFacet(event, _)
            | Delivery::Scheduled(event, _)
            | Delivery::Test(event, _)
            | Delivery::Socket(event, _) => {
                if actor.is_overloaded() {
                    self.fail(event, Error::OverloadQueue { queued_max: ACTOR_WAITING_MAX });
                    return false;
                }
                actor.admit(delivery, context)
            }
            // What the actor itself waits for is never refused.
            Delivery::Settle(..)
            | Delivery::Timer(_)
            | Delivery::Forget(_)
            | Delivery::Returned(_)
            | Delivery::Survey => actor.admit(delivery, context),
        }
    }

    fn end_turn(&self) {
        self.current.set(Context::NONE);
        if self.unsettled.borrow().is_empty() {
            return;
        }
        for (actor, change) in self.unsettled.take() {
            actor.settle_gate(change);
        }
    }

    /// The delivery will never be made.
    pub(crate) fn forget_settled(&self, delivery: Delivery) {
        if let Delivery::Settle(slot, _) = delivery {
            self.settled.borrow_mut().remove(&slot);
        }
    }
}

/// Stands for the actor where a stateless entrypoint has a name or props.
const NAMED_ENTRY: u32 = u32::MAX;
