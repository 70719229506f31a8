//! Facets: named child actors of an actor (`spec/workers.md` §2).
//!
//! A slot is one name below one parent, from its first use until it is aborted, deleted or
//! broken. Stubs bind to the slot, not to the name: after an abort they fail for ever, and the
//! next `get` makes a new slot.

use std::cell::{OnceCell, RefCell};
use std::rc::{Rc, Weak};

use crate::actor::{Actor, Identity, Name};
use crate::capability::{Capability, OF_FACET};
use crate::census::Presence;
use crate::entrypoint::Serialized;
use crate::error::Error;
use crate::event::EventKind;
use crate::limits::{ACTOR_WAITING_MAX, FACET_DEPTH_MAX, FACET_NAME_BYTES_MAX};
use crate::loader::WorkerSource;
use crate::meter::InvocationLimits;
use crate::position::Position;
use crate::stub::Deliver;

/// One named child of an actor.
pub struct FacetSlot {
    name: String,
    parent: Weak<Position>,
    /// `ctx.id` of the parent, which the facet takes if it is given none.
    parent_id: Name,
    position: OnceCell<Rc<Position>>,
    state: RefCell<State>,
}

enum State {
    /// The startup callback runs, or the class is being loaded.
    Starting(Vec<EventKind>),
    /// Its actor left memory; the next event makes another of the same class (FA-34).
    Idle(Startup),
    Running(Startup, Rc<Actor>),
    Broken(Error),
}

/// What the startup callback chose.
#[derive(Clone)]
struct Startup {
    class: ActorClass,
    id: Name,
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
    /// Limits of their events besides those of the worker.
    pub limits: InvocationLimits,
}

/// A handle to a facet, bound to its slot for ever (FA-10).
pub struct FacetStub(pub Rc<FacetSlot>);

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
    if parent.identity.position.depth + 1 >= FACET_DEPTH_MAX {
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
    let position = &parent.identity.position;
    // One that broke by itself gives its name free (FA-38).
    position.remove(name, FacetSlot::is_broken);
    if let Some(slot) = position.facet(name) {
        return Bound::Known(slot);
    }
    let slot = Rc::new(FacetSlot {
        name: name.into(),
        parent: Rc::downgrade(position),
        parent_id: parent.identity.id.clone(),
        position: OnceCell::new(),
        state: RefCell::new(State::Starting(Vec::new())),
    });
    position.add(name, Rc::clone(&slot));
    Bound::New(slot)
}

/// Aborts the facet of this name, if there is one (FA-22).
pub fn abort(parent: &Actor, name: &str, reason: &Error) {
    if let Some(slot) = parent.identity.position.remove(name, |_| true) {
        slot.break_with(reason);
    }
}

/// Aborts the facet and erases its database and those of the facets below it (FA-27).
///
/// # Errors
/// [`Error::BrokenStorage`] when files cannot be removed.
pub fn delete(parent: &Actor, name: &str) -> Result<(), Error> {
    abort(parent, name, &Error::reset("Facet was deleted."));
    let position = &parent.identity.position;
    let deleted = position.root.delete_facet(position.number, name)?;
    parent.shard().forget_alarms(&position.root, &deleted);
    Ok(())
}

/// Gives facet `to` the data of facet `from` and of those below it, in place of its own
/// (FA-31). It gets the last committed state, whatever `from` does meanwhile, and no alarms.
///
/// # Errors
/// [`Error::BrokenStorage`] when files cannot be copied.
pub fn clone(parent: &Actor, from: &str, to: &str) -> Result<(), Error> {
    abort(parent, to, &Error::reset("Facet was cloned-over."));
    if from == to {
        return Ok(());
    }
    let position = &parent.identity.position;
    let (root, shard) = (&position.root, parent.shard());
    let deleted = root.delete_facet(position.number, to)?;
    shard.forget_alarms(root, &deleted);
    if let Some(slot) = position.facet(from) {
        slot.commit_tree();
    }
    for (_, copy) in root.copy_facet(position.number, from, to)? {
        shard.clear_copied_alarm(root, copy)?;
    }
    Ok(())
}

/// Names of the facets below `parent` that run or have data.
///
/// # Errors
/// [`Error::BrokenStorage`] when the index cannot be read.
pub fn list(parent: &Actor) -> Result<Vec<String>, Error> {
    let position = &parent.identity.position;
    let mut names = position.root.stored_facets(position.number)?;
    let slots = position.slots();
    let running = slots.iter().filter(|slot| !slot.is_broken());
    names.extend(running.map(|slot| slot.name.clone()));
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

impl FacetSlot {
    /// Commits what it and those below it wrote so far.
    fn commit_tree(&self) {
        if let Some(actor) = self.actor() {
            actor.commit();
        }
        if let Some(position) = self.position.get() {
            position.slots().iter().for_each(|slot| slot.commit_tree());
        }
    }

    /// Starts the facet with what the startup callback chose. `id` is `None` to take the
    /// parent's.
    pub fn start(self: &Rc<Self>, class: ActorClass, id: Option<Name>) {
        let id = id.unwrap_or_else(|| self.parent_id.clone());
        self.launch(Startup { class, id });
    }

    /// Takes an event, starting the facet again if it left memory.
    pub(crate) fn deliver(self: &Rc<Self>, kind: EventKind) {
        let mut state = self.state.borrow_mut();
        let actor = match &mut *state {
            State::Starting(waiting) if waiting.len() >= ACTOR_WAITING_MAX => {
                return kind.fail(Error::OverloadQueue { queued_max: ACTOR_WAITING_MAX });
            }
            State::Starting(waiting) => return waiting.push(kind),
            State::Broken(error) => return kind.fail(error.clone()),
            State::Idle(startup) => {
                let startup = startup.clone();
                *state = State::Starting(vec![kind]);
                drop(state);
                return self.launch(startup);
            }
            State::Running(_, actor) => Rc::clone(actor),
        };
        drop(state);
        // A facet that broke by itself gives its name free (FA-38).
        if let Some(error) = actor.broken() {
            self.leave_parent();
            *self.state.borrow_mut() = State::Broken(error);
        }
        actor.deliver(kind);
    }

    /// Its place in the tree, for which it gets a number at the first call.
    ///
    /// # Errors
    /// As [`Root::facet_number`](crate::namespace::Root::facet_number).
    pub(crate) fn position(&self) -> Result<Rc<Position>, Error> {
        if let Some(position) = self.position.get() {
            return Ok(Rc::clone(position));
        }
        let parent = self.parent.upgrade();
        let parent = parent.ok_or_else(|| Error::reset("The facet's parent is gone."))?;
        let number = parent.root.facet_number(parent.number, &self.name)?;
        let position = Position::new(Rc::clone(&parent.root), number, parent.depth + 1);
        Ok(Rc::clone(self.position.get_or_init(|| position)))
    }

    /// Its place, if it was started before.
    pub(crate) fn known_position(&self) -> Option<&Rc<Position>> {
        self.position.get()
    }

    /// Its running actor.
    pub(crate) fn actor(&self) -> Option<Rc<Actor>> {
        match &*self.state.borrow() {
            State::Running(_, actor) => Some(Rc::clone(actor)),
            State::Starting(_) | State::Idle(_) | State::Broken(_) => None,
        }
    }

    fn launch(self: &Rc<Self>, startup: Startup) {
        let slot = Rc::clone(self);
        let source = startup.class.source.clone();
        source.with_worker(move |worker| {
            let started = worker.and_then(|worker| {
                let identity = Identity {
                    id: startup.id.clone(),
                    class: startup.class.name.clone(),
                    props: startup.class.props.clone(),
                    limits: startup.class.limits,
                    position: slot.position()?,
                };
                Actor::start(worker, identity)
            });
            match started {
                Ok(actor) => slot.run(startup, actor),
                Err(error) => slot.fail(&error),
            }
        });
    }

    fn run(&self, startup: Startup, actor: Rc<Actor>) {
        let mut state = self.state.borrow_mut();
        match &mut *state {
            State::Starting(waiting) => {
                let waiting = std::mem::take(waiting);
                *state = State::Running(startup, Rc::clone(&actor));
                drop(state);
                waiting.into_iter().for_each(|kind| actor.deliver(kind));
            }
            // Aborted while its class was loading.
            State::Idle(_) | State::Running(..) | State::Broken(_) => {
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
        if let Some(parent) = self.parent.upgrade() {
            parent.remove(&self.name, |slot| std::ptr::eq(slot, self));
        }
    }

    /// Ends the facet; its stubs fail with `error` from now on (FA-23).
    pub fn break_with(&self, error: &Error) {
        let state = std::mem::replace(&mut *self.state.borrow_mut(), State::Broken(error.clone()));
        match state {
            State::Starting(waiting) => {
                waiting.into_iter().for_each(|kind| kind.fail(error.clone()))
            }
            State::Running(_, actor) => actor.break_with(error),
            State::Idle(_) => {}
            State::Broken(earlier) => *self.state.borrow_mut() = State::Broken(earlier),
        }
        // Where the actor had left memory, those below it may still run.
        if let Some(position) = self.position.get() {
            position.break_facets(error);
        }
    }

    /// Its name below its parent.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True while its class is asked for or loaded.
    pub(crate) fn is_starting(&self) -> bool {
        matches!(&*self.state.borrow(), State::Starting(_))
    }

    /// Whether it has an actor.
    pub(crate) fn presence(&self) -> Presence {
        match &*self.state.borrow() {
            State::Starting(_) => Presence::Starting,
            State::Idle(_) => Presence::Idle,
            State::Running(_, actor) if actor.broken().is_none() => Presence::Running,
            State::Running(..) | State::Broken(_) => Presence::Broken,
        }
    }

    /// Its actor leaves memory, if it is still this one; the class stays.
    pub(crate) fn evict(&self, actor: &Rc<Actor>) {
        let mut state = self.state.borrow_mut();
        if let State::Running(startup, running) = &*state
            && Rc::ptr_eq(running, actor)
        {
            *state = State::Idle(startup.clone());
            drop(state);
            actor.evict();
        }
    }

    /// True if its stubs fail from now on.
    fn is_broken(&self) -> bool {
        match &*self.state.borrow() {
            State::Starting(_) | State::Idle(_) => false,
            State::Running(_, actor) => actor.broken().is_some(),
            State::Broken(_) => true,
        }
    }
}

impl Deliver for FacetStub {
    fn deliver(&self, kind: EventKind) {
        self.0.deliver(kind);
    }

    fn capability(&self) -> Result<Capability, &'static str> {
        Err(OF_FACET)
    }
}
