//! One stateful instance with its database and its gates: a Durable Object or a facet.
//!
//! Events wait while the instance is constructed and while it blocks concurrency. Every answer
//! passes the output gate. A broken actor never serves again; whoever holds its place starts a
//! new one at the next event.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::{Rc, Weak};

use storage::Database;
use tokio::sync::oneshot;

use crate::actor_alarm::AlarmState;
use crate::actor_id::ActorId;
use crate::entrypoint::Serialized;
use crate::error::Error;
use crate::event::{Entry, Event, EventKind, Outgoing};
use crate::eviction::Usage;
use crate::gate::{OutputGate, Passage};
use crate::limits::ACTOR_WAITING_MAX;
use crate::position::Position;
use crate::shard::Shard;
use crate::socket_set::SocketSet;
use crate::worker::Worker;

/// An actor that runs in an isolate of its shard.
pub struct Actor {
    /// What it is and where it belongs.
    pub identity: Identity,
    index: Cell<u32>,
    token: u64,
    worker: Rc<Worker>,
    database: RefCell<Option<Database>>,
    // What the sync pool calls this opening of the database, how many commits there were before
    // it, and when it was last used.
    opening: Cell<u64>,
    counted: Cell<u64>,
    used: Cell<u32>,
    is_dirty: Cell<bool>,
    is_held: Cell<bool>,
    gate: RefCell<OutputGate<Outgoing>>,
    state: RefCell<State>,
    pub(crate) alarm: AlarmState,
    pub(crate) usage: Usage,
}

/// What an actor is, as its instance sees it.
pub struct Identity {
    /// `ctx.id`.
    pub id: Name,
    /// The exported class.
    pub class: String,
    /// `ctx.props`.
    pub props: Option<Serialized>,
    /// Its place in the tree of facets.
    pub position: Rc<Position>,
}

/// What `ctx.id` is (FA-11).
#[derive(Debug, Clone)]
pub enum Name {
    /// A `DurableObjectId`.
    Id(ActorId),
    /// A plain string that a supervisor chose for its facet.
    Text(String),
}

enum State {
    /// The instance is being constructed or blocks concurrency.
    Waiting {
        constructed: bool,
        blocked: u32,
        events: Vec<Event>,
    },
    Running,
    Broken(Error),
}

impl Actor {
    /// Adds an actor to a running worker and starts its construction.
    ///
    /// # Errors
    /// [`Error::AppNoHandler`] when the worker exports no such class.
    pub(crate) fn start(worker: Rc<Worker>, identity: Identity) -> Result<Rc<Actor>, Error> {
        let class = &identity.class;
        if worker.instance.export(class) != Some(crate::instance::ExportKind::ActorClass) {
            let text = format!("Worker has no such Durable Object class: {class}");
            return Err(Error::AppNoHandler(text.into()));
        }
        let shard = Rc::clone(worker.instance.shard());
        shard.make_room()?;
        let actor = Rc::new(Actor {
            identity,
            index: Cell::new(0),
            token: shard.next_number(),
            worker,
            database: RefCell::default(),
            opening: Cell::new(0),
            counted: Cell::new(0),
            used: Cell::new(0),
            is_dirty: Cell::new(false),
            is_held: Cell::new(false),
            gate: RefCell::default(),
            state: RefCell::new(State::Waiting {
                constructed: false,
                blocked: 0,
                events: Vec::new(),
            }),
            alarm: AlarmState::default(),
            usage: Usage::default(),
        });
        if let Some(sockets) = actor.identity.position.sockets() {
            sockets.attach(&actor);
        }
        let instance = &actor.worker.instance;
        actor.index.set(instance.add_actor(Rc::clone(&actor)));
        shard.add_token(actor.token, &actor);
        shard.resume_alarm(&actor);
        instance.deliver(Event {
            actor: Some(Rc::clone(&actor)),
            entry: Entry::default(),
            kind: EventKind::Construct,
        });
        Ok(actor)
    }

    /// The number by which its isolate knows it.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index.get()
    }

    /// The worker whose code it runs.
    #[must_use]
    pub fn worker(&self) -> &Rc<Worker> {
        &self.worker
    }

    /// The shard it lives on.
    pub(crate) fn shard(&self) -> &Rc<Shard> {
        self.worker.instance.shard()
    }

    /// Why it is broken, if so.
    #[must_use]
    pub fn broken(&self) -> Option<Error> {
        match &*self.state.borrow() {
            State::Broken(error) => Some(error.clone()),
            State::Waiting { .. } | State::Running => None,
        }
    }

    /// Delivers an event, or lets it wait until the instance takes events.
    pub(crate) fn deliver(self: &Rc<Self>, kind: EventKind) {
        self.usage.touch();
        let event = Event { actor: Some(Rc::clone(self)), entry: Entry::default(), kind };
        match &mut *self.state.borrow_mut() {
            State::Broken(error) => return event.fail(error.clone()),
            State::Waiting { events, .. } if events.len() >= ACTOR_WAITING_MAX => {
                return event.fail(Error::OverloadQueue);
            }
            State::Waiting { events, .. } => return events.push(event),
            State::Running => {}
        }
        self.worker.instance.deliver(event);
    }

    /// True while events must wait.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(&*self.state.borrow(), State::Waiting { .. })
    }

    /// The constructor has returned.
    pub(crate) fn constructed(&self) {
        if let State::Waiting { constructed, .. } = &mut *self.state.borrow_mut() {
            *constructed = true;
        }
        self.open_if_ready();
    }

    /// Holds events back until as many [`unblock`](Self::unblock) calls came (DO-9).
    pub fn block(&self) {
        let mut state = self.state.borrow_mut();
        match &mut *state {
            State::Waiting { blocked, .. } => *blocked += 1,
            State::Running => {
                *state = State::Waiting { constructed: true, blocked: 1, events: Vec::new() };
            }
            State::Broken(_) => {}
        }
    }

    /// Ends one [`block`](Self::block).
    pub fn unblock(&self) {
        if let State::Waiting { blocked, .. } = &mut *self.state.borrow_mut() {
            *blocked = blocked.saturating_sub(1);
        }
        self.open_if_ready();
    }

    fn open_if_ready(&self) {
        let events = match &mut *self.state.borrow_mut() {
            state @ State::Waiting { constructed: true, blocked: 0, .. } => {
                std::mem::replace(state, State::Running)
            }
            _ => return,
        };
        if let State::Waiting { events, .. } = events {
            events.into_iter().for_each(|event| self.worker.instance.deliver(event));
        }
    }

    /// Its WebSockets that outlive this instance.
    pub fn sockets(self: &Rc<Self>) -> Rc<SocketSet> {
        self.identity.position.sockets_or(|| SocketSet::new(self))
    }

    /// Where its database lies.
    #[must_use]
    pub fn database_path(&self) -> PathBuf {
        let Position { root, number, .. } = &*self.identity.position;
        root.database_path(*number)
    }

    /// Uses its database, opening it at the first use; afterwards a commit is scheduled if the
    /// use left writes.
    ///
    /// # Errors
    /// [`Error::BrokenStorage`] when the database cannot be opened, and what made the actor
    /// unusable.
    pub fn with_database<R>(
        self: &Rc<Self>,
        f: impl FnOnce(&Database) -> Result<R, storage::Error>,
    ) -> Result<Result<R, storage::Error>, Error> {
        if let Some(error) = self.broken() {
            return Err(error);
        }
        let database = self.open_database()?;
        let result = f(&database);
        if database.is_dirty() && !self.is_dirty.replace(true) {
            self.shard().add_dirty(Rc::clone(self));
        }
        Ok(result)
    }

    fn open_database(self: &Rc<Self>) -> Result<Database, Error> {
        self.used.set(self.shard().databases().round());
        if let Some(database) = &*self.database.borrow() {
            return Ok(database.clone());
        }
        // A number of its own, so that late reports of an earlier opening do not reach this one.
        let opening = self.shard().next_number();
        self.opening.set(opening);
        self.shard().databases().add(opening, self);
        let durability = self.shard().durability(opening, self.counted.get());
        let settings = &self.shard().limits().storage;
        let database = Database::open_with(&self.database_path(), &durability, settings)?;
        database.set_interrupt(Some(self.shard().interrupt()));
        *self.database.borrow_mut() = Some(database.clone());
        self.check_alarm(&database)?;
        Ok(database)
    }

    /// Closes its database if nothing used it since a round of the shard's sweeps; returns whether
    /// it is still open. Never waits for the disk: the log is copied first, and the next sweep
    /// closes.
    pub(crate) fn rest_database(&self, unused_since: u32) -> bool {
        let Some(database) = self.database.borrow().clone() else { return false };
        // What is held waits for a report that would not come any more.
        let is_busy = database.is_dirty() || !self.gate.borrow().is_empty();
        if self.used.get() > unused_since || is_busy || database.must_stay_open() {
            return true;
        }
        if !database.is_copied() {
            if let Err(error) = database.checkpoint() {
                self.break_with(&error.into());
            }
            return true;
        }
        self.leave_database();
        if let Err(error) = database.close() {
            tracing::error!(%error, "an idle database did not close");
        }
        false
    }

    /// Gives up its open database; the next use opens it again, and counts its commits on.
    pub(crate) fn leave_database(&self) -> Option<Database> {
        let database = self.database.take()?;
        self.shard().databases().remove(self.opening.get());
        self.counted.set(database.committed());
        Some(database)
    }

    /// Commits what is written and closes the database, waiting for the disk: at an orderly stop.
    pub(crate) fn close_database(&self) {
        let Some(database) = self.leave_database() else { return };
        if let Err(error) = database.commit().and_then(|_| database.close()) {
            tracing::error!(%error, "a database did not close");
        }
    }

    /// Commits the writes of the turns since the last commit.
    pub(crate) fn commit(self: &Rc<Self>) {
        let Some(database) = self.database.borrow().clone() else { return };
        if database.holds_commits() {
            // It stays dirty, and the sync pool's next report takes it up again.
            return self.is_held.set(true);
        }
        // It stays dirty while the commit is put off, and is not scheduled twice.
        if self.waits_for_index(&database) {
            return;
        }
        self.is_dirty.set(false);
        match database.commit() {
            Ok(Some(commit)) => self.alarm_committed(commit, &database),
            Ok(None) => {
                let open = self.gate.borrow_mut().nothing_written(database.committed());
                open.into_iter().for_each(Outgoing::send);
            }
            Err(error) => self.break_with(&error.into()),
        }
    }

    /// The sync pool reports progress on its database.
    pub(crate) fn durable(self: &Rc<Self>, commit: Result<u64, storage::Error>) {
        match commit {
            Ok(commit) => {
                self.alarm_durable(commit);
                let open = self.gate.borrow_mut().durable(commit);
                open.into_iter().for_each(Outgoing::send);
                // After the answers left: copying a large WAL takes a moment.
                let database = self.database.borrow().clone();
                if let Some(Err(error)) = database.map(|database| database.checkpoint_if_large()) {
                    self.break_with(&error.into());
                }
                if self.is_held.replace(false) {
                    self.shard().add_dirty(Rc::clone(self));
                }
            }
            Err(error) => self.break_with(&error.into()),
        }
    }

    /// The newest commit that a message sent now may reveal.
    fn reveals(&self) -> u64 {
        let database = self.database.borrow();
        let Some(database) = &*database else { return 0 };
        database.committed() + u64::from(database.is_dirty())
    }

    /// Brings a message to the output gate.
    pub(crate) fn leave(&self, outgoing: Outgoing) {
        let passage = self.gate.borrow_mut().pass(self.reveals(), outgoing);
        match passage {
            Passage::Open(outgoing) => outgoing.send(),
            Passage::Held => {}
            Passage::Broken(outgoing, error) => outgoing.fail(error),
        }
    }

    /// Something to wait for before a request may leave; `None` if it may leave now.
    pub(crate) fn signal_when_durable(&self) -> Option<oneshot::Receiver<Result<(), Error>>> {
        let (signal, waiter) = oneshot::channel();
        let passage = self.gate.borrow_mut().pass(self.reveals(), Outgoing::Signal(signal));
        match passage {
            Passage::Open(_) => None,
            Passage::Held => Some(waiter),
            Passage::Broken(outgoing, error) => {
                outgoing.fail(error);
                Some(waiter)
            }
        }
    }

    /// Ends it for good: uncommitted writes are dropped, whoever waits gets `error`, and its
    /// facets end with it (FA-22, FA-37).
    pub fn break_with(&self, error: &Error) {
        let state = std::mem::replace(&mut *self.state.borrow_mut(), State::Broken(error.clone()));
        match state {
            State::Broken(earlier) => {
                *self.state.borrow_mut() = State::Broken(earlier);
                return;
            }
            State::Waiting { events, .. } => {
                events.into_iter().for_each(|event| event.fail(error.clone()));
            }
            State::Running => {}
        }
        let held = self.gate.borrow_mut().break_with(error.clone());
        held.into_iter().for_each(|outgoing| outgoing.fail(error.clone()));
        // No second handle may live beside that of the actor's next start.
        if let Some(database) = self.leave_database() {
            database.abandon();
        }
        self.identity.position.break_facets(error);
        self.worker.instance.remove_actor(self.index.get(), error);
        self.shard().remove_token(self.token);
        self.shard().forget_root(&self.identity, self.token);
    }

    /// True while it has events, or writes and messages that are not out.
    pub(crate) fn is_busy(&self) -> bool {
        let database = self.database.borrow();
        let is_written =
            database.as_ref().is_some_and(|db| db.is_dirty() || db.durable() < db.committed());
        self.usage.has_events()
            || self.is_waiting()
            || is_written
            || !self.gate.borrow().is_empty()
            || self.is_dirty.get()
    }

    /// Leaves memory: nothing is lost, and the next event makes another instance (DO-14). Only
    /// for one that is not busy.
    pub(crate) fn evict(&self) {
        let error = Error::reset("The Durable Object left memory because it was idle.");
        *self.state.borrow_mut() = State::Broken(error.clone());
        if let Some(database) = self.leave_database() {
            // Closing one that is not copied would wait for the disk.
            if !database.is_copied() {
                database.abandon();
            } else if let Err(error) = database.close() {
                tracing::error!(%error, "an idle database did not close");
            }
        }
        self.worker.instance.remove_actor(self.index.get(), &error);
        self.shard().remove_token(self.token);
    }

    /// The number that no other actor of the shard has.
    pub(crate) fn token(&self) -> u64 {
        self.token
    }
}

/// A facet's or caller's weak view of an actor.
pub type WeakActor = Weak<Actor>;
