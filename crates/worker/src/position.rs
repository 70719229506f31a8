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
use crate::socket_set::SocketSet;

/// One place in a tree.
pub struct Position {
    /// The tree.
    pub root: Rc<Root>,
    /// Its number in the tree; 0 is the root.
    pub number: u16,
    /// Levels between it and the root.
    pub depth: usize,
    facets: RefCell<HashMap<String, Rc<FacetSlot>>>,
    sockets: RefCell<Option<Rc<SocketSet>>>,
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
        let (facets, sockets) = Default::default();
        Rc::new(Position { root, number, depth, facets, sockets })
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

    /// The slot of facet `number` below.
    pub(crate) fn slot(&self, number: u16) -> Option<Rc<FacetSlot>> {
        self.slots().into_iter().find_map(|slot| {
            let position = slot.known_position()?;
            if position.number == number {
                return Some(Rc::clone(&slot));
            }
            position.slot(number)
        })
    }

    /// The WebSockets of this place that outlive its instances.
    pub(crate) fn sockets(&self) -> Option<Rc<SocketSet>> {
        self.sockets.borrow().clone()
    }

    pub(crate) fn sockets_or(&self, make: impl FnOnce() -> Rc<SocketSet>) -> Rc<SocketSet> {
        Rc::clone(self.sockets.borrow_mut().get_or_insert_with(make))
    }

    /// True if a WebSocket may wake its actor.
    pub(crate) fn has_sockets(&self) -> bool {
        self.sockets.borrow().as_ref().is_some_and(|sockets| !sockets.is_empty())
    }

    /// Ends all facets below (FA-37) and disconnects the place's WebSockets (FA-25).
    pub(crate) fn break_facets(&self, error: &Error) {
        if let Some(sockets) = self.sockets.take() {
            sockets.end();
        }
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
