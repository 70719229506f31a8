//! Critical sections of an actor: `blockConcurrencyWhile` and what is made of it (DO-9).

use std::rc::Rc;
use std::time::Duration;

use super::Actor;
use crate::error::Error;
use crate::event::{Context, Delivery};
use crate::input_gate::{SectionId, Step};
use crate::instance::GateChange;
use crate::limits::ACTOR_WAITING_MAX;

impl Actor {
    /// Asks for a critical section inside of what runs now. Once the turn is over and no other
    /// section is in the way, [`Delivery::Enter`] is delivered with its number.
    ///
    /// # Errors
    /// [`Error::AppCode`] when sections are nested too deeply, and what broke the actor.
    pub fn begin_section(self: &Rc<Self>) -> Result<SectionId, Error> {
        if let Some(error) = self.broken() {
            return Err(error);
        }
        let instance = &self.worker.instance;
        let context = instance.current();
        let from = match context.actor == self.index() {
            true => context.section,
            false => SectionId::ROOT,
        };
        let section = instance.next_section();
        if !self.input_gate.borrow_mut().begin(from, section) {
            return Err(Error::app_code("Error", TOO_DEEP));
        }
        instance.settle_later(Rc::clone(self), GateChange::Asked);
        Ok(section)
    }

    /// The callback of a section succeeded: next, before anything else, [`Delivery::Leave`] is
    /// delivered to what surrounds the section.
    pub fn end_section(&self, section: SectionId) {
        let ended = self.input_gate.borrow_mut().end(section);
        let Some(parent) = ended else { return };
        if let Some(timer) = self.section_timers.borrow_mut().remove(&section) {
            timer.abort();
        }
        let leave = Delivery::Leave(section.number(), self.index());
        let context = Context { actor: self.index(), section: parent };
        self.worker.instance.queue_first(vec![(leave, context)]);
    }

    /// Takes a delivery to the input gate: true if it may be made now, else it is kept.
    pub(crate) fn admit(&self, delivery: Delivery, context: Context) -> bool {
        self.input_gate.borrow_mut().pass(context.section, (delivery, context)).is_some()
    }

    /// True while so much waits that further events are refused.
    pub(crate) fn is_overloaded(&self) -> bool {
        self.input_gate.borrow().waiting() >= ACTOR_WAITING_MAX
    }

    /// Opens what a turn that is over allows to open.
    pub(crate) fn settle_gate(self: &Rc<Self>, change: GateChange) {
        if self.broken.borrow().is_some() {
            return;
        }
        let steps = {
            let mut gate = self.input_gate.borrow_mut();
            match change {
                GateChange::Asked => {}
                GateChange::Entered(section) if gate.is_running(section) => {
                    self.limit_section(section);
                }
                GateChange::Entered(_) => {}
                GateChange::Left(parent) => gate.release(parent),
            }
            gate.turn_ended()
        };
        if self.writes.is_scheduled() && steps.iter().any(|step| matches!(step, Step::Enter(_))) {
            // What the turns before wrote does not depend on how the section ends.
            self.commit();
        }
        let actor = self.index();
        let deliveries = steps.into_iter().map(|step| match step {
            Step::Deliver(delivery) => delivery,
            Step::Enter(section) => {
                (Delivery::Enter(section.number(), actor), Context { actor, section })
            }
        });
        self.worker.instance.queue_first(deliveries.collect());
    }

    /// Resets the actor if the section does not end in time. Sections that end in their first
    /// turn never get here.
    fn limit_section(self: &Rc<Self>, section: SectionId) {
        let actor = Rc::downgrade(self);
        let limit = Duration::from_millis(self.shard().limits().section_ms);
        let timer = self.shard().spawn(async move {
            tokio::time::sleep(limit).await;
            if let Some(actor) = actor.upgrade() {
                actor.break_with(&Error::overloaded_reset(TOO_LONG));
            }
        });
        self.section_timers.borrow_mut().insert(section, timer);
    }

    /// The actor broke: nothing that waits will be delivered.
    pub(super) fn give_up_sections(&self) {
        for timer in self.section_timers.take().into_values() {
            timer.abort();
        }
        let waiting = self.input_gate.borrow_mut().take();
        for (delivery, _) in waiting {
            self.worker.instance.forget_settled(delivery);
        }
    }
}

const TOO_DEEP: &str = "blockConcurrencyWhile() calls are nested too deeply.";
const TOO_LONG: &str = "A call to blockConcurrencyWhile() in a Durable Object waited for too long. \
     The call was canceled and the Durable Object was reset.";
