//! The input gate: which deliveries may reach an actor now (`spec/workers.md` DO-9, DO-10, A.3).
//!
//! A critical section closes the gate it began at; what was started inside of it passes its own
//! gate, at which further sections may begin. Everything carries the section it was started in,
//! so the gates form a tree with the actor's own gate as its root. A section that ended hands
//! what still waits at its gate to its parent, and stands for its parent from then on.
//!
//! Pure: no clock and no I/O. Sections begin and gates open between turns only, in
//! [`InputGate::turn_ended`]. At each gate sections go first, then deliveries in their order.

use std::collections::{HashMap, VecDeque};

/// A critical section of an actor, or the actor itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SectionId(u32);

impl SectionId {
    /// The actor outside of all sections.
    pub const ROOT: SectionId = SectionId(0);

    /// The section that is known by this number; 0 is the root.
    #[must_use]
    pub fn new(number: u32) -> SectionId {
        SectionId(number)
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }
}

/// The gates of one actor, with the deliveries that wait at them.
pub struct InputGate<T> {
    root: Gate<T>,
    /// Sections that wait for their begin or are running.
    sections: HashMap<SectionId, Section<T>>,
    /// For sections that ended inside of another one, which runs on: that one.
    ended: HashMap<SectionId, SectionId>,
    /// Gates at which something may have become possible during this turn.
    touched: Vec<SectionId>,
    /// Deliveries that wait at all gates together.
    waiting: usize,
}

struct Section<T> {
    parent: SectionId,
    depth: usize,
    is_running: bool,
    gate: Gate<T>,
}

struct Gate<T> {
    /// Sections that keep it closed: the one that runs, and those that one left behind.
    locks: usize,
    sections: VecDeque<SectionId>,
    deliveries: VecDeque<T>,
}

/// What may happen now.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<T> {
    /// The section begins: its callback is to be called.
    Enter(SectionId),
    /// The delivery may be made, if the gate is still open when its turn comes.
    Deliver(T),
}

impl<T> InputGate<T> {
    /// An open gate.
    #[must_use]
    pub fn new() -> InputGate<T> {
        InputGate {
            root: Gate::new(),
            sections: HashMap::new(),
            ended: HashMap::new(),
            touched: Vec::new(),
            waiting: 0,
        }
    }

    /// Brings a delivery to the gate of what it was started in; gives it back if it may be made
    /// at once.
    pub fn pass(&mut self, from: SectionId, delivery: T) -> Option<T> {
        let gate = self.gate(from);
        if gate.locks == 0 {
            return Some(delivery);
        }
        gate.deliveries.push_back(delivery);
        self.waiting += 1;
        None
    }

    /// Asks for a new section inside of `from`; it begins between turns, in
    /// [`turn_ended`](Self::turn_ended). False when sections are nested too deeply.
    #[must_use]
    pub fn begin(&mut self, from: SectionId, section: SectionId) -> bool {
        let parent = self.resolve(from);
        let depth = self.sections.get(&parent).map_or(0, |parent| parent.depth) + 1;
        if depth > SECTION_DEPTH_MAX {
            return false;
        }
        let new = Section { parent, depth, is_running: false, gate: Gate::new() };
        self.sections.insert(section, new);
        self.gate(parent).sections.push_back(section);
        self.touched.push(parent);
        true
    }

    /// The callback of a running section succeeded. What was started in it belongs to its parent
    /// from now on, and the parent's gate stays closed until [`release`](Self::release). Gives
    /// the parent; `None` when no such section runs.
    pub fn end(&mut self, section: SectionId) -> Option<SectionId> {
        if !self.is_running(section) {
            return None;
        }
        let Section { parent, gate, .. } = self.sections.remove(&section)?;
        let parent = self.resolve(parent);
        self.ended.retain(|_, heir| {
            if *heir == section {
                *heir = parent;
            }
            *heir != SectionId::ROOT
        });
        if parent != SectionId::ROOT {
            self.ended.insert(section, parent);
        }
        let heir = self.gate(parent);
        heir.locks += gate.locks;
        heir.sections.extend(gate.sections);
        heir.deliveries.extend(gate.deliveries);
        Some(parent)
    }

    /// A section that [ended](Self::end) in `parent` was left: it keeps the gate closed no longer.
    pub fn release(&mut self, parent: SectionId) {
        let gate = self.gate(parent);
        gate.locks = gate.locks.saturating_sub(1);
        let parent = self.resolve(parent);
        self.touched.push(parent);
    }

    /// A turn is over; gives what may happen now, in order.
    pub fn turn_ended(&mut self) -> Vec<Step<T>> {
        let mut steps = Vec::new();
        for touched in std::mem::take(&mut self.touched) {
            let gate = self.gate(touched);
            if gate.locks > 0 {
                continue;
            }
            if let Some(section) = gate.sections.pop_front() {
                gate.locks += 1;
                if let Some(section) = self.sections.get_mut(&section) {
                    section.is_running = true;
                }
                steps.push(Step::Enter(section));
            } else {
                let deliveries = std::mem::take(&mut gate.deliveries);
                self.waiting -= deliveries.len();
                steps.extend(deliveries.into_iter().map(Step::Deliver));
            }
        }
        steps
    }

    /// True when a turn changed nothing that [`turn_ended`](Self::turn_ended) has to look at.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.touched.is_empty()
    }

    /// True from the begin of a section to its end.
    #[must_use]
    pub fn is_running(&self, section: SectionId) -> bool {
        self.sections.get(&section).is_some_and(|section| section.is_running)
    }

    /// True if no section is there and nothing waits.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.sections.is_empty() && self.waiting == 0
    }

    /// Deliveries that wait at all gates together.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Gives up: the deliveries that wait at all gates will never be made.
    pub fn take(&mut self) -> Vec<T> {
        let InputGate { root, sections, .. } = std::mem::take(self);
        let inside = sections.into_values().flat_map(|section| section.gate.deliveries);
        root.deliveries.into_iter().chain(inside).collect()
    }

    /// The section itself while it is there, else the one that took over what it started.
    fn resolve(&self, section: SectionId) -> SectionId {
        if section == SectionId::ROOT || self.sections.contains_key(&section) {
            return section;
        }
        self.ended.get(&section).copied().unwrap_or(SectionId::ROOT)
    }

    fn gate(&mut self, section: SectionId) -> &mut Gate<T> {
        let section = self.resolve(section);
        match self.sections.get_mut(&section) {
            Some(section) => &mut section.gate,
            None => &mut self.root,
        }
    }
}

impl<T> Default for InputGate<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Gate<T> {
    fn new() -> Gate<T> {
        Gate { locks: 0, sections: VecDeque::new(), deliveries: VecDeque::new() }
    }
}

/// Sections inside of each other (DO-9).
pub const SECTION_DEPTH_MAX: usize = 64;

#[cfg(test)]
mod tests;
