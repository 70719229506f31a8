//! One stateful instance with its database and its gates: a Durable Object or a facet.
//!
//! Deliveries pass the input gate, which critical sections close; every answer passes the output
//! gate. A broken actor never serves again; whoever holds its place starts a new one at the next
//! event.

mod delete_all;
mod section;
mod transaction;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::{Rc, Weak};

use storage::{Database, Settings};
use tokio::task::AbortHandle;

use crate::actor_alarm::AlarmState;
use crate::actor_id::ActorId;
use crate::entrypoint::Serialized;
use crate::error::Error;
use crate::event::{Context, Delivery, Entry, Event, EventKind, Outgoing};
use crate::eviction::Usage;
use crate::gate::{OutputGate, Passage};
use crate::input_gate::{InputGate, SectionId};
use crate::meter::InvocationLimits;
use crate::position::Position;
use crate::shard::Shard;
use crate::socket_set::SocketSet;
use crate::worker::Worker;
use crate::writes::{Confirmation, Writes};

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
    is_held: Cell<bool>,
    writes: Writes,
    input_gate: RefCell<InputGate<(Delivery, Context)>>,
    /// What resets the actor when a section takes too long.
    section_timers: RefCell<HashMap<SectionId, AbortHandle>>,
    gate: RefCell<OutputGate<Outgoing>>,
    broken: RefCell<Option<Error>>,
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
    /// Limits of its events besides those of its worker.
    pub limits: InvocationLimits,
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

impl Actor {
    /// Adds an actor to a running worker and starts its construction.
    ///
    /// # Errors
    /// [`Error::AppNoHandler`] when the worker exports no such class.
    pub(crate) fn start(worker: Rc<Worker>, identity: Identity) -> Result<Rc<Actor>, Error> {
        let class = &identity.class;
        if !worker.instance.is_actor_class(class) {
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
            is_held: Cell::new(false),
            writes: Writes::default(),
            input_gate: RefCell::default(),
            section_timers: RefCell::default(),
            gate: RefCell::default(),
            broken: RefCell::default(),
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
        self.broken.borrow().clone()
    }

    /// Delivers an event; it waits while the input gate is closed.
    pub(crate) fn deliver(self: &Rc<Self>, kind: EventKind) {
        self.usage.touch();
        let event = Event { actor: Some(Rc::clone(self)), entry: Entry::default(), kind };
        match self.broken() {
            Some(error) => event.fail(error),
            None => self.worker.instance.deliver(event),
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
    /// use wrote. Its writes hold messages back until they are durable.
    ///
    /// # Errors
    /// [`Error::BrokenStorage`] when the database cannot be opened, and what made the actor
    /// unusable.
    pub fn with_database<R>(
        self: &Rc<Self>,
        f: impl FnOnce(&Database) -> Result<R, storage::Error>,
    ) -> Result<Result<R, storage::Error>, Error> {
        self.write_database(Confirmation::Confirmed, f)
    }

    /// As [`with_database`](Self::with_database), with a choice for the writes.
    ///
    /// # Errors
    /// As [`with_database`](Self::with_database).
    pub fn write_database<R>(
        self: &Rc<Self>,
        confirmation: Confirmation,
        f: impl FnOnce(&Database) -> Result<R, storage::Error>,
    ) -> Result<Result<R, storage::Error>, Error> {
        if let Some(error) = &*self.broken.borrow() {
            return Err(error.clone());
        }
        let database = self.open_database()?;
        let before = database.writes();
        let result = f(&database);
        if database.writes() != before && self.writes.add(confirmation) {
            self.shard().add_dirty(Rc::clone(self));
        }
        Ok(result)
    }

    fn open_database(self: &Rc<Self>) -> Result<Database, Error> {
        self.used.set(self.shard().databases().round());
        if let Some(database) = &*self.database.borrow() {
            return Ok(database.clone());
        }
        self.identity.position.root.finish_cut_off()?;
        // A number of its own, so that late reports of an earlier opening do not reach this one.
        let opening = self.shard().next_number();
        self.opening.set(opening);
        self.shard().databases().add(opening, self);
        let durability = self.shard().durability(opening, self.counted.get());
        let database =
            Database::open_with(&self.database_path(), &durability, &self.storage_settings())?;
        database.set_interrupt(Some(self.shard().interrupt()));
        *self.database.borrow_mut() = Some(database.clone());
        self.check_alarm(&database)?;
        Ok(database)
    }

    /// What its database may take, and whether its past is kept.
    fn storage_settings(&self) -> Cow<'_, Settings> {
        let settings = &self.shard().limits().storage;
        let root = &self.identity.position.root;
        let home = self.shard().workers().0.home(&root.class);
        let own = self.worker.instance.code.limits.storage_mb;
        if own.is_none() && (home.keeps_history || settings.history.is_none()) {
            return Cow::Borrowed(settings);
        }
        let mut settings = settings.clone();
        settings.history = settings.history.filter(|_| home.keeps_history);
        if let Some(own) = own {
            let bytes_max = settings.database_bytes_max.min(u64::from(own) << 20);
            settings.database_bytes_max = bytes_max;
            if let Some(history) = &mut settings.history {
                history.bytes_max = history.bytes_max.min(bytes_max / 4);
            }
        }
        Cow::Owned(settings)
    }

    /// Closes its database if nothing used it since a round of the shard's sweeps; returns whether
    /// it is still open. Never waits for the disk: the log is copied first, and the next sweep
    /// closes.
    pub(crate) fn rest_database(&self, unused_since: u32) -> bool {
        let Some(database) = self.database.borrow().clone() else { return false };
        // What is held waits for a report that would not come any more.
        let is_busy = database.is_dirty() || !self.gate.borrow().is_empty();
        if self.used.get() > unused_since || is_busy {
            return true;
        }
        if database.must_stay_open() {
            database.release_memory();
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
        if database.savepoints() > 0 {
            // A transaction that did not end did not happen.
            database.roll_back_all();
        }
        if let Err(error) = database.commit().and_then(|_| database.close()) {
            tracing::error!(%error, "a database did not close");
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

    /// Brings a message to the output gate.
    pub(crate) fn leave(&self, outgoing: Outgoing) {
        let passage = self.gate.borrow_mut().pass(self.reveals(), outgoing);
        match passage {
            Passage::Open(outgoing) => outgoing.send(),
            Passage::Held => {}
            Passage::Broken(outgoing, error) => outgoing.fail(error),
        }
    }

    /// Ends it for good: uncommitted writes are dropped, whoever waits gets `error`, and its
    /// facets end with it (FA-22, FA-37).
    pub fn break_with(&self, error: &Error) {
        if self.broken.borrow().is_some() {
            return;
        }
        *self.broken.borrow_mut() = Some(error.clone());
        self.give_up_sections();
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
            || !self.input_gate.borrow().is_idle()
            || is_written
            || !self.gate.borrow().is_empty()
            || self.writes.is_scheduled()
    }

    /// Leaves memory: nothing is lost, and the next event makes another instance (DO-14). Only
    /// for one that is not busy.
    pub(crate) fn evict(&self) {
        let error = Error::reset("The Durable Object left memory because it was idle.");
        *self.broken.borrow_mut() = Some(error.clone());
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
