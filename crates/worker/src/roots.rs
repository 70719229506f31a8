//! The roots of a shard: finding them, starting their actors, erasing what they stored.

use std::rc::Rc;

use crate::actor::{Actor, Identity, Name};
use crate::actor_id::ActorId;
use crate::error::Error;
use crate::event::{Event, EventKind};
use crate::meter::InvocationLimits;
use crate::namespace::Root;
use crate::position::RootSlot;
use crate::shard::Shard;

impl Shard {
    /// Delivers an event to an actor of this shard, starting it if need be.
    pub(crate) fn deliver_to_actor(self: &Rc<Self>, key: &str, id: &ActorId, kind: EventKind) {
        match self.actor(key, id) {
            Ok(actor) => actor.deliver(kind),
            Err(error) => Event { actor: None, entry: Default::default(), kind }.fail(error),
        }
    }

    fn actor(self: &Rc<Self>, key: &str, id: &ActorId) -> Result<Rc<Actor>, Error> {
        if let Some(actor) = self.namespaces().find(key, id) {
            return Ok(actor);
        }
        if self.quarantine().is_away(&id.bytes()) {
            return Err(Error::OverloadQuarantine { retry_after_s: 1 });
        }
        let home = self.workers().0.home(key);
        let worker = self.configured_worker(home.worker)?;
        let slot = self.root_slot(key, id);
        let identity = Identity {
            id: Name::Id(id.clone()),
            class: home.class,
            props: None,
            limits: InvocationLimits::default(),
            position: Rc::clone(&slot.position),
        };
        let actor = Actor::start(worker, identity)?;
        slot.put(Rc::clone(&actor));
        Ok(actor)
    }

    /// The place of a root, made where nobody used it yet.
    pub(crate) fn root_slot(self: &Rc<Self>, key: &str, id: &ActorId) -> Rc<RootSlot> {
        let slot = self.known_root_slot(key, id).unwrap_or_else(|| {
            let slot = RootSlot::new(self.root(key, id));
            self.namespaces().add(key, id, Rc::clone(&slot));
            self.sweep_later();
            slot
        });
        slot.position.root.called(id);
        slot
    }

    /// The place of a root, if somebody used it.
    pub(crate) fn known_root_slot(&self, key: &str, id: &ActorId) -> Option<Rc<RootSlot>> {
        self.namespaces().slot(key, id)
    }

    /// The files of a tree.
    pub(crate) fn root(&self, key: &str, id: &ActorId) -> Root {
        Root::new(self.data(), key, id)
    }

    /// Ends an actor and erases its files and those of its facets.
    pub(crate) fn erase_actor(self: &Rc<Self>, key: &str, id: &ActorId) -> Result<(), Error> {
        if self.quarantine().is_away(&id.bytes()) {
            return Err(Error::OverloadQuarantine { retry_after_s: 1 });
        }
        let slot = self.root_slot(key, id);
        let deleted = Error::reset("Durable Object was deleted.");
        if let Some(actor) = slot.take() {
            actor.break_with(&deleted);
        }
        slot.position.break_facets(&deleted);
        self.namespaces().remove(key, id, |_| true);
        let root = &slot.position.root;
        root.erase()?;
        self.forget_tree_alarms(root);
        Ok(())
    }

    pub(crate) fn forget_root(&self, identity: &Identity, token: u64) {
        if let (0, Name::Id(id)) = (identity.position.number, &identity.id) {
            let is_its = |slot: &RootSlot| slot.actor().is_some_and(|actor| actor.token() == token);
            self.namespaces().remove(&identity.position.root.class, id, is_its);
        }
    }
}
