//! A shard: one thread with its loop, its isolates, its actors and their databases.
//!
//! Work comes from the shard's own sockets, from other threads through the letter box
//! ([`crate::wake`]) and from JavaScript itself; all of it goes through [`Shard::pump`], which
//! gives workers their turns one after the other. Writes of the turns between two rounds of
//! the loop are committed together.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use isolate::{Blame, Engine, Isolate, Pool, Retired, WatchSlot};
use storage::durability::{Durability, DurabilitySink};
use tokio::task::AbortHandle;

use crate::actor::Actor;
use crate::actor_id::ActorId;
use crate::alarm_index::AlarmIndex;
use crate::alarms::Alarms;
use crate::clock::Clock;
use crate::configured::{Configured, Running};
use crate::cron::{CronTrigger, Crons};
use crate::error::Error;
use crate::eviction::Evictions;
use crate::limits::{BLANK_ISOLATES, DEAD_ISOLATES_MAX, Limits, TURNS_PER_PUMP_MAX};
use crate::load_queue::LoadQueue;
use crate::loaded::LoadedWorkers;
use crate::namespace::Namespaces;
use crate::open_databases::{OpenDatabases, sweep_regularly};
use crate::outbound::Internet;
use crate::quarantine::Quarantine;
use crate::wake::{Letter, WakeQueue};
use crate::worker::Worker;

/// What all shards of a process share.
pub struct Config {
    /// The configured workers: what is run, or the app host.
    pub workers: Configured,
    /// Where databases lie.
    pub data: PathBuf,
    /// The limits an operator can set.
    pub limits: Limits,
    /// Makes commits durable.
    pub sink: Arc<dyn DurabilitySink>,
    /// What isolates are made of.
    pub engine: Arc<Engine>,
    /// When alarms are due.
    pub alarms: AlarmIndex,
    /// What time it is.
    pub clock: Arc<Clock>,
    /// Where shards show whose code runs.
    pub blame: Blame,
    /// The apps that are refused.
    pub quarantine: Arc<Quarantine>,
    /// Opens the way out for workers that may take it.
    pub internet: Arc<dyn Internet>,
    /// When `scheduled()` of the configured workers runs.
    pub crons: Vec<CronTrigger>,
}

/// One thread's share of the process.
pub struct Shard {
    index: usize,
    config: Arc<Config>,
    peers: Arc<[Arc<WakeQueue>]>,
    pool: Pool,
    interrupt: Arc<AtomicBool>,
    ready: RefCell<VecDeque<Work>>,
    is_pumping: Cell<bool>,
    turns: Cell<u64>,
    dirty: RefCell<Vec<Rc<Actor>>>,
    retired: Retired,
    pub(crate) workers: RefCell<HashMap<u64, Weak<Worker>>>,
    loaded: LoadedWorkers,
    load_queue: LoadQueue,
    tokens: RefCell<HashMap<u64, Weak<Actor>>>,
    databases: OpenDatabases,
    actors: Namespaces,
    configured: Running,
    on_durable: Arc<dyn Fn(u64, Result<u64, storage::Error>) + Send + Sync>,
    next_number: Cell<u64>,
    is_stopping: Cell<bool>,
    alarms: Alarms,
    evictions: Evictions,
    crons: Crons,
}

/// Work that runs on this shard, outside of any isolate.
type LocalTask = Box<dyn FnOnce(&Rc<Shard>)>;

enum Work {
    Turn(Rc<Worker>),
    Run(LocalTask),
}

impl Shard {
    /// Makes the shard of the calling thread; `peers` are the letter boxes of all shards.
    #[must_use]
    pub fn new(
        index: usize,
        config: Arc<Config>,
        peers: Arc<[Arc<WakeQueue>]>,
        watch: Arc<WatchSlot>,
    ) -> Rc<Shard> {
        let wake = Arc::clone(&peers[index]);
        let interrupt = watch.interrupt();
        let share = config.limits.isolates_max / 4 / peers.len();
        let pool = Pool::new(Arc::clone(&config.engine), watch, BLANK_ISOLATES.min(share));
        Rc::new(Shard {
            index,
            config,
            peers,
            pool,
            interrupt,
            ready: RefCell::default(),
            is_pumping: Cell::new(false),
            turns: Cell::new(0),
            dirty: RefCell::default(),
            retired: Retired::default(),
            workers: RefCell::default(),
            loaded: LoadedWorkers::default(),
            load_queue: LoadQueue::default(),
            tokens: RefCell::default(),
            databases: OpenDatabases::default(),
            actors: Namespaces::default(),
            configured: Running::default(),
            on_durable: Arc::new(move |token, commit| wake.post(Letter::Durable(token, commit))),
            next_number: Cell::new(1),
            is_stopping: Cell::new(false),
            alarms: Alarms::default(),
            evictions: Evictions::default(),
            crons: Crons::default(),
        })
    }

    /// Runs the shard until it is told to stop; then closes what it owns.
    pub async fn run(self: Rc<Self>) {
        self.load_alarms();
        self.spawn(sweep_regularly(Rc::downgrade(&self)));
        while !self.is_stopping.get() {
            let turns = self.turns.get();
            tokio::select! {
                biased;
                () = self.wake_queue().wait() => {}
                () = tokio::time::sleep(IDLE_BEFORE_CHORES), if self.has_chores() => {
                    // A chore takes milliseconds: only when nothing else happened.
                    if self.turns.get() == turns {
                        self.do_chore();
                    }
                }
            }
            for letter in self.wake_queue().take() {
                self.open(letter);
            }
            self.pump();
            self.commit();
            if self.retired.len() > DEAD_ISOLATES_MAX {
                self.retired.drop_all();
            }
        }
        self.close();
    }

    fn has_chores(&self) -> bool {
        !self.pool.is_full() || !self.retired.is_empty()
    }

    /// Cleans up after isolates that are gone, or else makes a blank one.
    fn do_chore(&self) {
        if !self.retired.step()
            && let Err(error) = self.pool.fill_one()
        {
            tracing::error!(%error, "no blank isolate could be made");
        }
    }

    fn open(self: &Rc<Self>, letter: Letter) {
        match letter {
            Letter::Task(task) => task(self),
            Letter::Durable(token, commit) => {
                if let Some(actor) = self.databases.find(token) {
                    actor.durable(commit);
                }
            }
            Letter::Poll(id) => {
                if let Some(worker) = self.worker(id) {
                    self.inside(|_| worker.poll());
                }
            }
            Letter::Returned(id, number) => {
                if let Some(worker) = self.worker(id) {
                    worker.instance.returned(number);
                }
            }
        }
    }

    /// Gives workers their turns until nothing is ready or others must have the thread.
    ///
    /// Called from inside an isolate it does nothing: the turn that is running is followed by
    /// the next one.
    pub fn pump(self: &Rc<Self>) {
        if self.is_pumping.get() {
            return;
        }
        self.inside(|shard| {
            for _ in 0..TURNS_PER_PUMP_MAX {
                let work = shard.ready.borrow_mut().pop_front();
                match work {
                    Some(Work::Turn(worker)) => worker.turn(),
                    Some(Work::Run(run)) => run(shard),
                    None => return,
                }
                shard.turns.set(shard.turns.get() + 1);
            }
            shard.wake_queue().nudge();
        });
    }

    /// Runs `f` while the shard counts as pumping, whatever becomes of `f`.
    pub(crate) fn inside(self: &Rc<Self>, f: impl FnOnce(&Rc<Shard>)) {
        struct Guard<'a>(&'a Cell<bool>);
        impl Drop for Guard<'_> {
            fn drop(&mut self) {
                self.0.set(false);
            }
        }
        self.is_pumping.set(true);
        let _guard = Guard(&self.is_pumping);
        f(self);
    }

    /// Runs `f` outside of any isolate: now, or after the turn that is running.
    pub(crate) fn outside(self: &Rc<Self>, f: impl FnOnce(&Rc<Shard>) + 'static) {
        if self.is_pumping.get() {
            return self.queue(f);
        }
        self.inside(f);
        self.pump();
    }

    /// Runs `f` after the turn that is running.
    pub(crate) fn queue(&self, f: impl FnOnce(&Rc<Shard>) + 'static) {
        self.add(Work::Run(Box::new(f)));
    }

    pub(crate) fn make_ready(&self, worker: Rc<Worker>) {
        self.add(Work::Turn(worker));
    }

    /// Work that comes up outside of a pump, e.g. in a task that waited for a commit, must not
    /// wait for the next event to be seen.
    fn add(&self, work: Work) {
        self.ready.borrow_mut().push_back(work);
        if !self.is_pumping.get() {
            self.wake_queue().nudge();
        }
    }

    /// Runs `f` on another shard.
    pub fn dispatch(&self, shard: usize, f: impl FnOnce(&Rc<Shard>) + Send + 'static) {
        self.peers[shard].post(Letter::Task(Box::new(f)));
    }

    /// Runs a future on this shard. It must not touch V8.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) -> AbortHandle {
        tokio::task::spawn_local(future).abort_handle()
    }

    /// Which shard this is.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The limits of this process.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.config.limits
    }

    /// Opens ways to the internet.
    #[must_use]
    pub fn internet(&self) -> &dyn Internet {
        &*self.config.internet
    }

    /// The shard an actor lives on. Ids are random or hashes, so their first bytes spread.
    #[must_use]
    pub fn owner(&self, id: &ActorId) -> usize {
        let bytes = id.bytes();
        let hash = u64::from_le_bytes(bytes[..8].try_into().unwrap_or_default());
        usize::try_from(hash % self.peers.len() as u64).unwrap_or(0)
    }

    /// The configured workers of the process, and those that run on this shard.
    pub(crate) fn workers(&self) -> (&Configured, &Running) {
        (&self.config.workers, &self.configured)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.get()
    }

    /// Where databases lie.
    pub(crate) fn data(&self) -> &Path {
        &self.config.data
    }

    pub(crate) fn namespaces(&self) -> &Namespaces {
        &self.actors
    }

    pub(crate) fn alarms(&self) -> &Alarms {
        &self.alarms
    }

    /// The triggers as configured, and as armed.
    pub(crate) fn crons(&self) -> (&[CronTrigger], &Crons) {
        (&self.config.crons, &self.crons)
    }

    pub(crate) fn evictions(&self) -> &Evictions {
        &self.evictions
    }

    /// The dynamic workers that have an isolate here.
    pub(crate) fn loaded(&self) -> &LoadedWorkers {
        &self.loaded
    }

    pub(crate) fn load_queue(&self) -> &LoadQueue {
        &self.load_queue
    }

    /// Drops isolates that are of no use until another one may live; true if one may. Never
    /// called from inside an isolate.
    pub(crate) fn frees_isolate(&self) -> bool {
        if self.pool.has_room() {
            return true;
        }
        if self.retired.is_empty() {
            self.loaded.evict_oldest();
        }
        self.retired.drop_all();
        self.pool.has_room()
    }

    /// True if isolates or open files become scarce.
    pub(crate) fn is_crowded(&self) -> bool {
        self.config.engine.is_nearly_full() || self.excess_actors() > 0
    }

    /// Actors in memory.
    pub(crate) fn actor_count(&self) -> usize {
        self.tokens.borrow().len()
    }

    /// How many shards there are.
    pub(crate) fn count(&self) -> usize {
        self.peers.len()
    }

    pub(crate) fn alarm_index(&self) -> &AlarmIndex {
        &self.config.alarms
    }

    /// The apps that are refused.
    #[must_use]
    pub fn quarantine(&self) -> &Quarantine {
        &self.config.quarantine
    }

    /// What time it is.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.config.clock
    }

    pub(crate) fn wake_queue(&self) -> &Arc<WakeQueue> {
        &self.peers[self.index]
    }

    pub(crate) fn take_blank(&self) -> Result<Isolate, Error> {
        // Never called from inside an isolate.
        self.frees_isolate();
        // The loop must wake to see that the pool has room again.
        self.wake_queue().nudge();
        self.pool.take().map_err(Error::from)
    }

    pub(crate) fn next_number(&self) -> u64 {
        let number = self.next_number.get();
        self.next_number.set(number + 1);
        number
    }

    pub(crate) fn register(&self, worker: &Rc<Worker>) {
        self.workers.borrow_mut().insert(worker.id(), Rc::downgrade(worker));
    }

    /// A worker of this shard that is not gone.
    pub(crate) fn worker(&self, id: u64) -> Option<Rc<Worker>> {
        self.workers.borrow().get(&id).and_then(Weak::upgrade)
    }

    /// An actor of this shard that is not gone.
    pub(crate) fn actor_of_token(&self, token: u64) -> Option<Rc<Actor>> {
        self.tokens.borrow().get(&token).and_then(Weak::upgrade)
    }

    /// Takes over the isolate of a worker that is gone, to drop it where that is safe.
    pub(crate) fn bury(&self, worker: u64, isolate: Isolate) {
        self.workers.borrow_mut().remove(&worker);
        self.retired.push(isolate);
        self.wake_queue().nudge();
    }

    pub(crate) fn add_token(&self, token: u64, actor: &Rc<Actor>) {
        self.tokens.borrow_mut().insert(token, Rc::downgrade(actor));
    }

    pub(crate) fn remove_token(&self, token: u64) {
        self.tokens.borrow_mut().remove(&token);
    }

    /// The databases that are open.
    pub(crate) fn databases(&self) -> &OpenDatabases {
        &self.databases
    }

    /// Up while the turn that runs should stop, SQL included.
    pub(crate) fn interrupt(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.interrupt)
    }

    /// True if the turn that runs was told to end.
    pub(crate) fn is_turn_ended(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }

    /// How an opening of a database becomes durable, after so many commits of earlier ones.
    pub(crate) fn durability(&self, token: u64, counted: u64) -> Durability {
        let sink = Arc::clone(&self.config.sink);
        Durability { sink, token, counted, on_durable: Arc::clone(&self.on_durable) }
    }

    /// The actor has writes to commit; done before the loop waits again.
    pub(crate) fn add_dirty(&self, actor: Rc<Actor>) {
        self.dirty.borrow_mut().push(actor);
        self.wake_queue().nudge();
    }

    fn commit(&self) {
        for actor in self.dirty.take() {
            actor.commit();
        }
    }

    /// Ends [`run`](Self::run) after the round that is running.
    pub fn stop(&self) {
        self.is_stopping.set(true);
        self.wake_queue().nudge();
    }

    fn close(self: &Rc<Self>) {
        self.commit();
        self.finish_registering();
        self.databases.close();
        for slot in self.actors.take() {
            if let Some(actor) = slot.take() {
                actor.break_with(&Error::OverloadShutdown);
            }
            slot.position.break_facets(&Error::OverloadShutdown);
        }
        self.ready.take();
        self.configured.take();
        self.retired.drop_all();
    }
}

/// How long nothing must happen before isolates are made or dropped.
const IDLE_BEFORE_CHORES: Duration = Duration::from_millis(2);
