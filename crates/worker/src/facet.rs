//! Facets: named child actors of an actor (`spec/workers.md` §2).
//!
//! A slot is one name below one parent, from its first use until it is aborted, deleted or
//! broken. Stubs bind to the slot, not to the name: after an abort they fail for ever, and the
//! next `get` makes a new slot.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use crate::actor::{Actor, Identity, Name};
use crate::capability::{Capability, OF_FACET};
use crate::entrypoint::Serialized;
use crate::error::Error;
use crate::event::EventKind;
use crate::limits::{ACTOR_WAITING_MAX, FACET_DEPTH_MAX, FACET_NAME_BYTES_MAX};
use crate::loader::WorkerSource;
use crate::stub::Deliver;

/// One named child of an actor.
pub struct FacetSlot {
    name: String,
    parent: Weak<Actor>,
    state: RefCell<State>,
}

enum State {
    /// The startup callback runs, or the class is being loaded.
    Starting(Vec<EventKind>),
    Running(Rc<Actor>),
    Broken(Error),
}

/// A class an actor can be made of.
#[derive(Clone)]
pub struct ActorClass {
    /// The worker that exports it.
    pub source: WorkerSource,
    /// The export's name.
    pub name: String,
    /// `ctx.props` of the actors made of it.
    pub props: Option<Serialized>,
}

/// What was found under a facet's name.
pub enum Bound {
    /// A slot that existed.
    Known(Rc<FacetSlot>),
    /// A new slot; the caller must run the startup callback and then
    /// [`FacetSlot::start`] or [`FacetSlot::break_with`].
    New(Rc<FacetSlot>),
}

/// Checks a facet's name (FA-5).
///
/// # Errors
/// [`Error::AppCode`] with the platform's wording.
pub fn check_name(name: &str) -> Result<(), Error> {
    if name.len() > FACET_NAME_BYTES_MAX {
        let text = format!("Facet name is too long (max {FACET_NAME_BYTES_MAX} characters).");
        return Err(Error::app_code("TypeError", text));
    }
    if name.is_empty() {
        return Err(Error::app_code("TypeError", "Facet name must not be empty."));
    }
    Ok(())
}

/// Checks that an actor may have facets (FA-6).
///
/// # Errors
/// [`Error::AppCode`] with the platform's wording.
pub fn check_depth(parent: &Actor) -> Result<(), Error> {
    if parent.identity.depth + 1 >= FACET_DEPTH_MAX {
        let text = format!(
            "Facet nesting depth limit exceeded. The maximum depth including the root Durable \
             Object is {FACET_DEPTH_MAX}."
        );
        return Err(Error::app_code("Error", text));
    }
    Ok(())
}

/// Finds or makes the slot of `name` below `parent` (FA-9).
pub fn bind(parent: &Rc<Actor>, name: &str) -> Bound {
    if let Some(slot) = parent.facets.borrow().get(name) {
        return Bound::Known(Rc::clone(slot));
    }
    let slot = Rc::new(FacetSlot {
        name: name.into(),
        parent: Rc::downgrade(parent),
        state: RefCell::new(State::Starting(Vec::new())),
    });
    parent.facets.borrow_mut().insert(name.into(), Rc::clone(&slot));
    Bound::New(slot)
}

/// Aborts the facet of this name, if there is one (FA-22).
pub fn abort(parent: &Actor, name: &str, reason: &Error) {
    let slot = parent.facets.borrow_mut().remove(name);
    if let Some(slot) = slot {
        slot.break_with(reason);
    }
}

/// Aborts the facet and erases its database and those of the facets below it (FA-27).
///
/// # Errors
/// [`Error::BrokenStorage`] when files cannot be removed.
pub fn delete(parent: &Actor, name: &str) -> Result<(), Error> {
    abort(parent, name, &Error::reset("Facet was deleted."));
    parent.identity.root.delete_facet(parent.identity.number, name)
}

impl FacetSlot {
    /// Starts the facet with what the startup callback chose. `id` is `None` to take the
    /// parent's.
    pub fn start(self: &Rc<Self>, class: ActorClass, id: Option<Name>) {
        let slot = Rc::clone(self);
        let source = class.source.clone();
        source.with_worker(move |worker| {
            let Some(parent) = slot.parent.upgrade() else { return };
            let started = worker.and_then(|worker| {
                let identity = Identity {
                    id: id.unwrap_or_else(|| parent.identity.id.clone()),
                    class: class.name,
                    props: class.props,
                    root: Rc::clone(&parent.identity.root),
                    number: parent
                        .identity
                        .root
                        .facet_number(parent.identity.number, &slot.name)?,
                    depth: parent.identity.depth + 1,
                };
                Actor::start(worker, identity)
            });
            match started {
                Ok(actor) => slot.run(actor),
                Err(error) => slot.fail(&error),
            }
        });
    }

    fn run(&self, actor: Rc<Actor>) {
        let mut state = self.state.borrow_mut();
        match &mut *state {
            State::Starting(waiting) => {
                let waiting = std::mem::take(waiting);
                *state = State::Running(Rc::clone(&actor));
                drop(state);
                waiting.into_iter().for_each(|kind| actor.deliver(kind));
            }
            // Aborted while its class was loading.
            State::Running(_) | State::Broken(_) => {
                drop(state);
                actor.break_with(&Error::reset("The facet was aborted before it started."));
            }
        }
    }

    /// The start failed: whoever waits gets the error, and the next `get` tries anew (FA-14).
    pub fn fail(self: &Rc<Self>, error: &Error) {
        self.leave_parent();
        self.break_with(error);
    }

    /// Gives the name free, unless another slot took it.
    fn leave_parent(&self) {
        let Some(parent) = self.parent.upgrade() else { return };
        let mut facets = parent.facets.borrow_mut();
        if facets.get(&self.name).is_some_and(|slot| std::ptr::eq(&raw const **slot, self)) {
            facets.remove(&self.name);
        }
    }

    /// Ends the facet; its stubs fail with `error` from now on (FA-23).
    pub fn break_with(&self, error: &Error) {
        let state = std::mem::replace(&mut *self.state.borrow_mut(), State::Broken(error.clone()));
        match state {
            State::Starting(waiting) => waiting.into_iter().for_each(|kind| fail(kind, error)),
            State::Running(actor) => actor.break_with(error),
            State::Broken(earlier) => *self.state.borrow_mut() = State::Broken(earlier),
        }
    }
}

impl Deliver for FacetSlot {
    fn deliver(&self, kind: EventKind) {
        let actor = match &mut *self.state.borrow_mut() {
            State::Starting(waiting) if waiting.len() >= ACTOR_WAITING_MAX => {
                return fail(kind, &Error::OverloadQueue);
            }
            State::Starting(waiting) => return waiting.push(kind),
            State::Broken(error) => return fail(kind, error),
            State::Running(actor) => Rc::clone(actor),
        };
        // A facet that broke by itself gives its name free (FA-38).
        if let Some(error) = actor.broken() {
            self.leave_parent();
            *self.state.borrow_mut() = State::Broken(error);
        }
        actor.deliver(kind);
    }

    fn capability(&self) -> Result<Capability, &'static str> {
        Err(OF_FACET)
    }
}

/// The slot of a broken actor is taken out of its parent's map at the next `get`.
pub fn drop_broken(parent: &Actor, name: &str) {
    let is_broken =
        parent.facets.borrow().get(name).is_some_and(|slot| match &*slot.state.borrow() {
            State::Starting(_) => false,
            State::Running(actor) => actor.broken().is_some(),
            State::Broken(_) => true,
        });
    if is_broken {
        parent.facets.borrow_mut().remove(name);
    }
}

fn fail(kind: EventKind, error: &Error) {
    match kind {
        EventKind::Fetch(_, answer) => drop(answer.send(Err(error.clone()))),
        EventKind::Call(_, answer) => drop(answer.send(Err(error.clone()))),
        EventKind::Construct => {}
    }
}
