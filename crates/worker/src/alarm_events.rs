//! The events of alarms in an isolate: their handlers' arguments and ends, and the question for
//! a facet's class.

use std::rc::Rc;

use crate::actor::Actor;
use crate::alarm::Run;
use crate::event::{AlarmEnd, Event, EventKind, Outgoing};
use crate::instance::{Instance, leave};

impl Instance {
    /// The run of an alarm event, with its actor.
    #[must_use]
    pub fn alarm_run(&self, event: u32) -> Option<(Rc<Actor>, Run)> {
        match self.events.borrow().find(event)? {
            Event { actor: Some(actor), kind: EventKind::Alarm(run, _), .. } => {
                Some((Rc::clone(actor), *run))
            }
            _ => None,
        }
    }

    /// Settles an alarm event.
    pub fn answer_alarm(&self, event: u32, end: AlarmEnd) {
        let event = self.events.borrow_mut().remove(event);
        let Some(Event { actor, kind: EventKind::Alarm(_, way), .. }) = event else { return };
        leave(actor, Outgoing::Alarm(way, Ok(end)));
    }

    /// The alarm that runs in this actor, if any, must not be tried again (AL-9).
    pub(crate) fn give_up_alarm(&self, index: u32) {
        let is_it = |event: &Event| {
            matches!(event.kind, EventKind::Alarm(..))
                && event.actor.as_ref().is_some_and(|actor| actor.index() == index)
        };
        let events = self.events.borrow_mut().take(is_it);
        for event in events {
            if let EventKind::Alarm(_, way) = event.kind {
                Outgoing::Alarm(way, Ok(AlarmEnd::GivenUp)).send();
            }
        }
    }

    /// The name of the facet that a supervisor is asked to wake.
    #[must_use]
    pub fn facet_to_wake(&self, event: u32) -> Option<String> {
        match &self.events.borrow().find(event)?.kind {
            EventKind::WakeFacet(name, _) => Some(name.clone()),
            _ => None,
        }
    }

    /// Says whether the supervisor had a class for the facet to wake.
    pub fn answer_wake(&self, event: u32, is_known: bool) {
        let event = self.events.borrow_mut().remove(event);
        if let Some(Event { kind: EventKind::WakeFacet(_, answer), .. }) = event {
            // Nobody waits any more once the shard ends.
            let _ = answer.send(Ok(is_known));
        }
    }
}
