//! The events that run in one isolate, by numbers that are not soon used again, so that a late
//! use of one that is over never reaches another.

use std::collections::VecDeque;

use bytes::Bytes;
use slab::Slab;

use crate::body::Body;
use crate::event::{Event, EventKind};
use crate::message::{Request, RequestId};

/// Running events by number.
#[derive(Default)]
pub(crate) struct EventTable {
    entries: Slab<(u32, Event)>,
    next_generation: u32,
    /// Requests of events that ended last, for what they still log.
    ended: [(u32, RequestId); ENDED_KEPT],
    next_ended: usize,
    /// The last requests that were answered, without their bodies: code that goes on after its
    /// answer may look at them for the first time.
    heads: VecDeque<(u32, Request)>,
}

impl EventTable {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds an event; gives its number, never 0, which stands for none. At most [`EVENTS_MAX`] may
    /// be in the table.
    pub fn insert(&mut self, event: Event) -> u32 {
        if let Some(actor) = &event.actor {
            actor.usage.event_began();
        }
        let generation = self.next_generation.max(1);
        self.next_generation = (generation + 1) % (1 << (32 - INDEX_BITS));
        let index = self.entries.insert((generation, event));
        (generation << INDEX_BITS) | u32::try_from(index).unwrap_or(0)
    }

    pub fn find(&self, number: u32) -> Option<&Event> {
        let (generation, event) = self.entries.get(index(number))?;
        (*generation == number >> INDEX_BITS).then_some(event)
    }

    pub fn find_mut(&mut self, number: u32) -> Option<&mut Event> {
        let (generation, event) = self.entries.get_mut(index(number))?;
        (*generation == number >> INDEX_BITS).then_some(event)
    }

    pub fn remove(&mut self, number: u32) -> Option<Event> {
        self.find(number)?;
        let (_, event) = self.entries.remove(index(number));
        ended(&event);
        if let EventKind::Fetch(Some(request), _) = &event.kind {
            self.ended[self.next_ended] = (number, request.id);
            self.next_ended = (self.next_ended + 1) % ENDED_KEPT;
        }
        Some(event)
    }

    /// Takes out all events that `which` picks.
    pub fn take(&mut self, which: impl Fn(&Event) -> bool) -> Vec<Event> {
        let picked = self.entries.iter().filter(|(_, (_, event))| which(event));
        let keys: Vec<usize> = picked.map(|(key, _)| key).collect();
        let events: Vec<Event> = keys.into_iter().map(|key| self.entries.remove(key).1).collect();
        events.iter().for_each(ended);
        events
    }

    /// Keeps what can still be looked at of a request that was answered; of a body that was not
    /// taken only that there was one.
    pub fn keep_head(&mut self, number: u32, mut request: Request) {
        if !matches!(request.body, Body::Empty) {
            request.body = Body::Full(Bytes::new());
        }
        if self.heads.len() == ENDED_KEPT {
            self.heads.pop_front();
        }
        self.heads.push_back((number, request));
    }

    /// Line and headers of an event's request, also for a while after it was answered.
    pub fn head(&self, number: u32) -> Option<&Request> {
        match self.find(number).map(|event| &event.kind) {
            Some(EventKind::Fetch(request, _)) => request.as_ref(),
            Some(_) => None,
            None => {
                let mut newest = self.heads.iter().rev();
                newest.find(|(kept, _)| *kept == number).map(|(_, request)| request)
            }
        }
    }

    /// The request an event was made by, also for a while after it ended.
    pub fn request(&self, number: u32) -> Option<RequestId> {
        if let Some(event) = self.find(number) {
            return match &event.kind {
                EventKind::Fetch(request, _) => request.as_ref().map(|request| request.id),
                _ => None,
            };
        }
        self.ended.iter().find(|(ended, _)| *ended == number).map(|(_, id)| *id)
    }
}

fn ended(event: &Event) {
    if let Some(actor) = &event.actor {
        actor.usage.event_ended();
    }
}

fn index(number: u32) -> usize {
    (number & ((1 << INDEX_BITS) - 1)) as usize
}

/// Events of one isolate; the bits above their index tell earlier users of it apart.
pub(crate) const EVENTS_MAX: usize = 1 << INDEX_BITS;
const INDEX_BITS: u32 = 14;
const ENDED_KEPT: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event { actor: None, entry: Default::default(), kind: EventKind::Construct }
    }

    #[test]
    fn the_number_of_an_event_that_is_over_reaches_no_other() {
        let mut table = EventTable::default();
        let first = table.insert(event());
        assert!(first != 0 && table.remove(first).is_some());
        let second = table.insert(event());
        assert_ne!(first, second);
        assert!(table.find(first).is_none() && table.remove(first).is_none());
        assert!(table.find(second).is_some());
    }
}
