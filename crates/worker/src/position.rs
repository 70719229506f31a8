//! Places in a tree of facets: the root's, and one for every name below another place.
//!
//! A place outlives the instances that are made for it. An idle actor leaves memory while its
//! place stays, with the facets below it (FA-34 to FA-36).

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::actor::Actor;
use crate::alarm_index::AlarmKey;
use crate::error::Error;
use crate::facet::FacetSlot;
use crate::namespace::Root;

/// One place in a tree.
pub struct Position {
    /// The tree.
    pub root: Rc<Root>,
    /// Its number in the tree; 0 is the root.
    pub number: u16,
    /// Levels between it and the root.
    pub depth: usize,
    facets: RefCell<HashMap<String, Rc<FacetSlot>>>,
}

/// The place of a root, and the actor that runs there.
pub struct RootSlot {
    /// The place.
    pub position: Rc<Position>,
    actor: RefCell<Option<Rc<Actor>>>,
}

impl Position {
    /// A place without facets.
    pub(crate) fn new(root: Rc<Root>, number: u16, depth: usize) -> Rc<Position> {
        Rc::new(Position { root, number, depth, facets: RefCell::default() })
    }

    /// By what the alarm of its actor is known.
    #[must_use]
    pub fn alarm_key(&self) -> AlarmKey {
        let Root { class, id, .. } = &*self.root;
        AlarmKey { class: Arc::clone(class), id: id.bytes(), number: self.number }
    }

    /// The facet of this name, if it was used and not aborted since.
    #[must_use]
    pub fn facet(&self, name: &str) -> Option<Rc<FacetSlot>> {
        self.facets.borrow().get(name).cloned()
    }

    pub(crate) fn add(&self, name: &str, slot: Rc<FacetSlot>) {
        self.facets.borrow_mut().insert(name.into(), slot);
    }

    /// Takes the facet of this name out if `which` picks it.
    pub(crate) fn remove(
        &self,
        name: &str,
        which: impl Fn(&FacetSlot) -> bool,
    ) -> Option<Rc<FacetSlot>> {
        let mut facets = self.facets.borrow_mut();
        facets.get(name).filter(|slot| which(slot))?;
        facets.remove(name)
    }

    /// All facets directly below.
    pub(crate) fn slots(&self) -> Vec<Rc<FacetSlot>> {
        self.facets.borrow().values().cloned().collect()
    }

    /// The running actor of facet `number` below.
    pub(crate) fn running(&self, number: u16) -> Option<Rc<Actor>> {
        self.slots().iter().find_map(|slot| {
            let position = slot.known_position()?;
            if position.number == number { slot.actor() } else { position.running(number) }
        })
    }

    /// Ends all facets below (FA-37).
    pub(crate) fn break_facets(&self, error: &Error) {
        for (_, slot) in self.facets.take() {
            slot.break_with(error);
        }
    }
}

impl RootSlot {
    pub(crate) fn new(root: Root) -> Rc<RootSlot> {
        let position = Position::new(Rc::new(root), 0, 0);
        Rc::new(RootSlot { position, actor: RefCell::default() })
    }

    /// The running actor.
    #[must_use]
    pub fn actor(&self) -> Option<Rc<Actor>> {
        self.actor.borrow().clone()
    }

    pub(crate) fn put(&self, actor: Rc<Actor>) {
        *self.actor.borrow_mut() = Some(actor);
    }

    pub(crate) fn take(&self) -> Option<Rc<Actor>> {
        self.actor.take()
    }
}
