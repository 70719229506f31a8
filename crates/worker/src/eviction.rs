//! Who leaves memory: idle actors, places nobody uses, isolates without work
//! (`spec/workers.md` §3.3, FA-34 to FA-36).
//!
//! A sweep every second looks at who was used since the last one, so that events pay nothing but a
//! flag. Of those that were idle for long enough, the isolate is asked which ones it still needs:
//! timers, promises and what was held by name live there. [`keeps`] decides; whoever adds
//! something that holds an actor adds it there.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::actor::Actor;
use crate::error::Error;
use crate::event::{Context, Delivery};
use crate::facet::FacetSlot;
use crate::instance::Instance;
use crate::loader::LoadedWorker;
use crate::position::{Position, RootSlot};
use crate::shard::Shard;

/// How an actor was used lately.
#[derive(Default)]
pub(crate) struct Usage {
    /// An event came since the last sweep.
    is_used: Cell<bool>,
    /// When the last event came, as far as sweeps saw.
    used_ms: Cell<u64>,
    /// Since when nothing holds it.
    idle_ms: Cell<u64>,
    /// Events it has in its isolate.
    events: Cell<u32>,
}

/// What a shard remembers between sweeps.
#[derive(Default)]
pub(crate) struct Evictions {
    /// When the next sweep comes; `None` while nothing could leave.
    next_ms: Cell<Option<u64>>,
    /// Who may leave once its isolate has answered, by worker.
    candidates: RefCell<HashMap<u64, Vec<Candidate>>>,
}

struct Candidate {
    place: Place,
    actor: Rc<Actor>,
}

enum Place {
    Root(Rc<RootSlot>),
    Facet(Rc<FacetSlot>),
}

/// Why an actor stays in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeps {
    /// It has events, or writes that are not durable.
    Busy,
    /// Timers, promises or others hold it.
    Held,
    /// It was used a moment ago.
    Fresh,
    /// Nothing keeps it.
    No,
}

/// The one decision about an actor. `is_held`: its isolate says that something there holds it.
fn keeps(actor: &Actor, now_ms: u64, idle_ms_max: u64, is_held: bool) -> Keeps {
    let usage = &actor.usage;
    if actor.is_busy() {
        return Keeps::Busy;
    }
    if is_held && now_ms.saturating_sub(usage.used_ms.get()) < HELD_MS_MAX {
        return Keeps::Held;
    }
    let is_fresh = usage.is_used.get() || now_ms.saturating_sub(usage.idle_ms.get()) < idle_ms_max;
    if is_fresh { Keeps::Fresh } else { Keeps::No }
}

impl Usage {
    /// An event came.
    pub(crate) fn touch(&self) {
        self.is_used.set(true);
    }

    pub(crate) fn event_began(&self) {
        self.events.set(self.events.get() + 1);
    }

    pub(crate) fn event_ended(&self) {
        self.events.set(self.events.get().saturating_sub(1));
    }

    pub(crate) fn has_events(&self) -> bool {
        self.events.get() > 0
    }

    /// A sweep comes by; true if an event came since the last.
    fn sweep(&self, now_ms: u64, is_busy: bool) -> bool {
        let is_used = self.is_used.replace(false);
        if is_used {
            self.used_ms.set(now_ms);
        }
        if is_used || is_busy {
            self.idle_ms.set(now_ms);
        }
        is_used
    }
}

impl Shard {
    /// Something came to memory that may leave it again.
    pub(crate) fn sweep_later(self: &Rc<Self>) {
        if self.evictions().next_ms.get().is_none() {
            self.evictions().next_ms.set(Some(self.clock().now_ms() + SWEEP_MS));
            self.tick_when_due();
        }
    }

    /// An actor is about to start: idle ones leave soon if there are many.
    ///
    /// # Errors
    /// [`Error::OverloadActors`] when there is no room for another.
    pub(crate) fn make_room(self: &Rc<Self>) -> Result<(), Error> {
        if !self.is_crowded() {
            return Ok(());
        }
        let soon_ms = self.clock().now_ms() + CROWDED_SWEEP_MS;
        if self.evictions().next_ms.get().is_none_or(|next_ms| next_ms > soon_ms) {
            self.evictions().next_ms.set(Some(soon_ms));
            self.tick_when_due();
        }
        let actors_max = self.limits().actors_max;
        let has_room = self.actor_count() < actors_max;
        if has_room { Ok(()) } else { Err(Error::OverloadActors { actors_max }) }
    }

    /// When the next sweep is due.
    pub(crate) fn next_sweep(&self) -> Option<u64> {
        self.evictions().next_ms.get()
    }

    /// Looks at everything in memory, if it is time to.
    pub(crate) fn sweep_if_due(self: &Rc<Self>, now_ms: u64) {
        if self.evictions().next_ms.get().is_none_or(|next_ms| next_ms > now_ms) {
            return;
        }
        let idle_ms_max = self.idle_ms_max();
        let mut found = Vec::new();
        let roots = self.namespaces().slots();
        for root in &roots {
            self.sweep_tree(root, now_ms, idle_ms_max, &mut found);
        }
        self.keep_recent(&mut found);
        let has_isolates = self.loaded().sweep(now_ms);
        self.survey(found);
        self.give_memory_back();
        let is_empty = roots.is_empty() && !has_isolates;
        self.evictions().next_ms.set((!is_empty).then_some(now_ms + SWEEP_MS));
    }

    /// Actors beyond three quarters of those that may be in memory.
    pub(crate) fn excess_actors(&self) -> usize {
        self.actor_count().saturating_sub(self.limits().actors_max / 4 * 3)
    }

    /// True if no worker holds work that outlives its events.
    pub(crate) fn is_drained(&self) -> bool {
        let workers = self.workers.borrow();
        workers.values().filter_map(Weak::upgrade).all(|worker| !worker.instance.is_held())
    }

    /// Workers that have an isolate.
    pub(crate) fn worker_count(&self) -> usize {
        self.workers.borrow().len()
    }

    /// Has some workers that are new, or collected garbage, give back what V8 holds for more.
    fn give_memory_back(&self) {
        let workers = self.workers.borrow();
        let workers = workers.values().filter_map(Weak::upgrade);
        workers.filter(|worker| worker.give_memory_back()).take(TRIMS_MAX).for_each(drop);
    }

    /// Where open files are scarce, those used last stay.
    fn keep_recent(&self, found: &mut Vec<Candidate>) {
        let excess = self.excess_actors();
        if excess > 0 {
            found.sort_by_key(|candidate| candidate.actor.usage.used_ms.get());
            found.truncate(excess);
        }
    }

    /// How long an actor may be idle: not at all where isolates or open files become scarce.
    fn idle_ms_max(&self) -> u64 {
        if self.is_crowded() { 0 } else { IDLE_MS }
    }

    fn sweep_tree(
        self: &Rc<Self>,
        root: &Rc<RootSlot>,
        now_ms: u64,
        idle_ms_max: u64,
        found: &mut Vec<Candidate>,
    ) {
        let mut tree = Tree { now_ms, idle_ms_max, is_used: false, is_alive: false, found };
        if let Some(actor) = root.actor() {
            tree.visit(actor, Place::Root(Rc::clone(root)));
        }
        tree.is_alive |= root.position.has_sockets();
        tree.descend(&root.position);
        let Tree { is_used, is_alive, .. } = tree;
        let files = &root.position.root;
        let used_ms = files.used_ms.get();
        if is_used || used_ms == 0 {
            files.used_ms.set(now_ms);
        } else if !is_alive && now_ms.saturating_sub(used_ms) >= PLACE_MS {
            self.namespaces()
                .remove(&files.class, &files.id, |slot| std::ptr::eq(slot, Rc::as_ptr(root)));
            root.position.break_facets(&Error::reset(PLACE_GONE));
        }
    }

    /// Asks the isolates of those that may leave.
    fn survey(&self, found: Vec<Candidate>) {
        let mut instances: HashMap<u64, Rc<Instance>> = HashMap::new();
        let mut candidates = self.evictions().candidates.borrow_mut();
        candidates.clear();
        for candidate in found {
            let worker = candidate.actor.worker();
            instances.entry(worker.id()).or_insert_with(|| Rc::clone(&worker.instance));
            candidates.entry(worker.id()).or_default().push(candidate);
        }
        drop(candidates);
        for (_, instance) in instances {
            instance.queue(Delivery::Survey, Context::NONE);
        }
    }

    /// An isolate said which of its actors something holds.
    pub(crate) fn surveyed(self: &Rc<Self>, worker: u64, held: &[u32]) {
        let candidates = self.evictions().candidates.borrow_mut().remove(&worker);
        let (now_ms, idle_ms_max) = (self.clock().now_ms(), self.idle_ms_max());
        for Candidate { place, actor } in candidates.unwrap_or_default() {
            let index = actor.index();
            let is_held = held.contains(&index) || actor.worker().instance.sockets.has_of(index);
            match keeps(&actor, now_ms, idle_ms_max, is_held) {
                Keeps::Busy | Keeps::Held => actor.usage.idle_ms.set(now_ms),
                Keeps::Fresh => {}
                Keeps::No => place.evict(&actor),
            }
        }
    }

    /// Waits until nothing is held by `waitUntil()` or an open stream any more, for a while.
    pub(crate) async fn drained(&self) {
        let pause = Duration::from_millis(DRAIN_PAUSE_MS);
        for _ in 0..DRAIN_MS_MAX / DRAIN_PAUSE_MS {
            if self.is_drained() {
                return;
            }
            tokio::time::sleep(pause).await;
        }
        tracing::warn!("work handed to waitUntil() is cut off");
    }
}

/// One tree during a sweep.
struct Tree<'a> {
    now_ms: u64,
    idle_ms_max: u64,
    is_used: bool,
    is_alive: bool,
    found: &'a mut Vec<Candidate>,
}

impl Tree<'_> {
    fn descend(&mut self, position: &Position) {
        for slot in position.slots() {
            self.is_alive |= slot.is_starting();
            if let Some(actor) = slot.actor() {
                self.visit(actor, Place::Facet(Rc::clone(&slot)));
            }
            if let Some(position) = slot.known_position() {
                // A message may come for it.
                self.is_alive |= position.has_sockets();
                self.descend(position);
            }
        }
    }

    fn visit(&mut self, actor: Rc<Actor>, place: Place) {
        self.is_alive = true;
        self.is_used |= actor.usage.sweep(self.now_ms, actor.is_busy());
        if keeps(&actor, self.now_ms, self.idle_ms_max, false) == Keeps::No {
            self.found.push(Candidate { place, actor });
        }
    }
}

impl Place {
    fn evict(&self, actor: &Rc<Actor>) {
        match self {
            // Another may have taken its place since the sweep.
            Place::Root(slot) => {
                if slot.actor().is_some_and(|running| Rc::ptr_eq(&running, actor)) {
                    slot.take();
                    actor.evict();
                }
            }
            Place::Facet(slot) => slot.evict(actor),
        }
    }
}

/// The isolate's side of a sweep.
impl Instance {
    /// Notes of which dynamic worker it is the isolate.
    pub(crate) fn is_of(&self, loaded: &Rc<LoadedWorker>) {
        // `LoadedWorker::start` is the only caller, once per isolate.
        let _ = self.loaded.set(Rc::downgrade(loaded));
    }

    /// More or fewer things are held by `waitUntil()` and open streams.
    pub fn held(&self, change: i32) {
        self.held.set(self.held.get().saturating_add(change));
    }

    /// True if `waitUntil()` or an open stream holds the worker.
    pub(crate) fn is_held(&self) -> bool {
        self.held.get() > 0
    }

    /// Which of its actors timers, promises and streams hold.
    pub fn surveyed(&self, held: Vec<u32>) {
        let Some(worker) = self.worker().as_ref().map(Rc::downgrade) else { return };
        // After the turn: an actor must not go while its isolate runs.
        self.shard().queue(move |shard| {
            if let Some(worker) = Weak::upgrade(&worker) {
                shard.surveyed(worker.id(), &held);
            }
        });
    }
}

/// How long an actor that nothing holds stays in memory (DO-14).
const IDLE_MS: u64 = 10_000;
/// How long a tree without actors keeps its places and their classes (FA-35).
const PLACE_MS: u64 = 70_000;
/// How long timers, promises and `waitUntil()` hold an actor that no event comes to.
const HELD_MS_MAX: u64 = 15 * 60 * 1000;
/// How soon it is looked for idle actors where there are too many.
const CROWDED_SWEEP_MS: u64 = 50;
/// Workers that give memory back in one sweep, each in some ten microseconds.
const TRIMS_MAX: usize = 128;
/// How exact the times are.
const SWEEP_MS: u64 = 1_000;
/// How long the end of the process waits for `waitUntil()`, as on the platform.
const DRAIN_MS_MAX: u64 = 30_000;
const DRAIN_PAUSE_MS: u64 = 10;
/// What a stub from before gets that somebody still holds.
const PLACE_GONE: &str = "The facet was not used for a while; get it again.";
