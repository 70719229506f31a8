//! The alarms of a shard: waking their actors in time, and keeping schedule, index and databases
//! in step (`spec/workers.md` §5, FA-48).

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use storage::Database;
use storage::metadata::ALARM;
use tokio::task::AbortHandle;

use crate::actor::Actor;
use crate::actor_alarm::alarm_of;
use crate::alarm::{After, Due, Outcome, Run, Schedule};
use crate::alarm_index::{AlarmKey, Known};
use crate::error::Error;
use crate::event::{AlarmEnd, EventKind};
use crate::facet::FacetSlot;
use crate::namespace::Root;
use crate::shard::Shard;
use crate::stub::reply;
use crate::wake::Letter;

/// What a shard knows of its alarms.
#[derive(Default)]
pub(crate) struct Alarms {
    schedule: RefCell<Schedule<AlarmKey>>,
    /// Actors whose commit waits for the index.
    registering: RefCell<Vec<Rc<Actor>>>,
    /// When the next tick comes.
    ticking: RefCell<Option<(u64, AbortHandle)>>,
    /// Some alarm waits for somebody who can run it.
    has_parked: Cell<bool>,
}

impl Alarms {
    /// When the next alarm is due.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.schedule.borrow().next_due()
    }
}

impl Shard {
    /// Takes over the alarms of the index that belong to this shard.
    pub(crate) fn load_alarms(self: &Rc<Self>) {
        {
            let mut schedule = self.alarms().schedule.borrow_mut();
            self.alarm_index().each(|key, known| {
                let is_own = self.owner(&key.root_id(None)) == self.index();
                if is_own && !self.quarantine().is_away(&key.id) {
                    schedule.restore(&key, known.time_ms, known.counted);
                }
            });
        }
        self.load_crons();
        self.tick_when_due();
    }

    /// Does what is due, outside of any isolate.
    fn tick(self: &Rc<Self>) {
        self.alarms().ticking.take();
        let now_ms = self.clock().now_ms();
        loop {
            let due = self.alarms().schedule.borrow_mut().due(now_ms);
            match due {
                None => break,
                Some(Due::Run(key, run)) => self.run_alarm(key, run),
                Some(Due::Overlong(key)) => self.end_overlong(&key),
            }
        }
        self.run_crons(now_ms);
        self.sweep_if_due(now_ms);
        self.tick_when_due();
    }

    /// The clock was moved.
    pub(crate) fn clock_moved(self: &Rc<Self>) {
        if let Some((_, task)) = self.alarms().ticking.take() {
            task.abort();
        }
        self.tick();
    }

    /// Sees to it that [`tick`](Self::tick) runs when something is due.
    pub(crate) fn tick_when_due(self: &Rc<Self>) {
        let alarm_ms = self.alarms().next_due();
        let Some(due_ms) =
            [alarm_ms, self.next_sweep(), self.next_cron()].into_iter().flatten().min()
        else {
            return;
        };
        let mut ticking = self.alarms().ticking.borrow_mut();
        if let Some((at_ms, task)) = &*ticking {
            if *at_ms <= due_ms {
                return;
            }
            task.abort();
        }
        let shard = Rc::clone(self);
        let task = self.spawn(async move {
            loop {
                let left_ms = due_ms.saturating_sub(shard.clock().now_ms());
                if left_ms == 0 {
                    break;
                }
                // The system's clock may be set meanwhile, so it is looked at now and then.
                tokio::time::sleep(Duration::from_millis(left_ms.min(CLOCK_CHECK_MS))).await;
            }
            shard.outside(Shard::tick);
        });
        *ticking = Some((due_ms, task));
    }

    fn run_alarm(self: &Rc<Self>, key: AlarmKey, run: Run) {
        let shard = Rc::clone(self);
        self.spawn(async move {
            let outcome = match shard.deliver_alarm(&key, run).await {
                Ok(None) => Outcome::Parked,
                Ok(Some(AlarmEnd::Done)) => Outcome::Done,
                Ok(Some(AlarmEnd::Moved(time_ms))) => Outcome::Moved(time_ms),
                Ok(Some(AlarmEnd::GivenUp)) => Outcome::GivenUp,
                Err(error) => outcome_of(&error),
            };
            shard.outside(move |shard| shard.alarm_finished(&key, outcome));
        });
    }

    /// Delivers to the root, or to the facet once it is there; `None` if nobody knows its class.
    async fn deliver_alarm(
        self: &Rc<Self>,
        key: &AlarmKey,
        run: Run,
    ) -> Result<Option<AlarmEnd>, Error> {
        let (answer, end) = reply();
        let kind = EventKind::Alarm(run, answer);
        if key.number == 0 {
            let id = key.root_id(self.alarm_index().find(key).and_then(|known| known.name));
            let class = Arc::clone(&key.class);
            self.outside(move |shard| shard.deliver_to_actor(&class, &id, kind));
            return end.await.map(Some);
        }
        match self.facet_to_wake(key).await? {
            FacetFound::Slot(slot) => {
                self.outside(move |_| slot.deliver(kind));
                end.await.map(Some)
            }
            FacetFound::NoClass => Ok(None),
            FacetFound::NoSuch => Ok(Some(AlarmEnd::Moved(None))),
        }
    }

    /// Goes down from the root to a facet; where nobody used it yet, its parent is asked to
    /// start it.
    async fn facet_to_wake(self: &Rc<Self>, key: &AlarmKey) -> Result<FacetFound, Error> {
        let id = key.root_id(self.alarm_index().find(key).and_then(|known| known.name));
        let root = self.root_slot(&key.class, &id);
        let Some(path) = root.position.root.path_of(key.number)? else {
            return Ok(FacetFound::NoSuch);
        };
        let mut parent: Option<Rc<FacetSlot>> = None;
        for name in path {
            let position = match &parent {
                None => Rc::clone(&root.position),
                Some(slot) => slot.position()?,
            };
            if position.facet(&name).is_none() {
                let (answer, is_known) = reply();
                let kind = EventKind::WakeFacet(name.clone(), answer);
                match parent {
                    Some(slot) => self.outside(move |_| slot.deliver(kind)),
                    None => {
                        let (class, id) = (Arc::clone(&key.class), id.clone());
                        self.outside(move |shard| shard.deliver_to_actor(&class, &id, kind));
                    }
                }
                if !is_known.await? {
                    return Ok(FacetFound::NoClass);
                }
            }
            let Some(slot) = position.facet(&name) else { return Ok(FacetFound::NoClass) };
            parent = Some(slot);
        }
        Ok(parent.map_or(FacetFound::NoSuch, FacetFound::Slot))
    }

    fn alarm_finished(self: &Rc<Self>, key: &AlarmKey, outcome: Outcome) {
        let now_ms = self.clock().now_ms();
        let (after, counted) = {
            let mut schedule = self.alarms().schedule.borrow_mut();
            let after = schedule.finished(key, outcome, now_ms, jitter());
            (after, schedule.counted(key))
        };
        if outcome == Outcome::Parked {
            self.alarms().has_parked.set(true);
        }
        match after {
            After::Abandon => self.abandon_alarm(key),
            After::Scheduled(time_ms) => {
                let name = self.alarm_index().find(key).and_then(|known| known.name);
                let known = time_ms.map(|time_ms| Known { time_ms, counted, name });
                self.alarm_index().note(key, known.as_ref());
            }
        }
        self.tick_when_due();
    }

    /// Deletes an alarm that was given up from its database.
    fn abandon_alarm(self: &Rc<Self>, key: &AlarmKey) {
        tracing::warn!(class = &*key.class, number = key.number, "an alarm was given up");
        let cleared = match self.running(key) {
            Some(actor) => actor.set_alarm(None).and_then(|cleared| Ok(cleared?)),
            None => self.clear_alarm(key),
        };
        match cleared {
            Ok(()) => self.alarm_index().note(key, None),
            // The next start of the process finds it again.
            Err(error) => tracing::error!(%error, "an alarm that was given up is still stored"),
        }
    }

    /// A database that was copied has no alarm of its own.
    pub(crate) fn clear_copied_alarm(&self, root: &Root, number: u16) -> Result<(), Error> {
        let (class, id) = (Arc::clone(&root.class), root.id.bytes());
        self.clear_alarm(&AlarmKey { class, id, number })
    }

    /// Deletes the alarm in the database of an actor that does not run.
    fn clear_alarm(&self, key: &AlarmKey) -> Result<(), Error> {
        let path = self.root(&key.class, &key.root_id(None)).database_path(key.number);
        if !path.exists() {
            return Ok(());
        }
        let database = Database::open(&path, &self.durability(self.next_number(), 0))?;
        if alarm_of(&database)?.is_some() {
            database.set_metadata(ALARM, None)?;
            database.commit()?;
        }
        Ok(database.close()?)
    }

    /// The running actor of this key.
    fn running(&self, key: &AlarmKey) -> Option<Rc<Actor>> {
        let root = self.known_root_slot(&key.class, &key.root_id(None))?;
        let actor = match key.number {
            0 => root.actor(),
            number => root.position.running(number),
        };
        actor.filter(|actor| actor.broken().is_none())
    }

    fn end_overlong(&self, key: &AlarmKey) {
        if let Some(actor) = self.running(key) {
            let error = Error::overloaded_reset("Alarm exceeded its allowed execution time");
            tracing::error!(name = actor.root_name(), class = &*key.class, %error, "alarm ended");
            actor.break_with(&error);
        }
    }
}

/// What actors tell of their alarms.
impl Shard {
    /// Puts an alarm into the index before it is committed; false if it is covered there.
    pub(crate) fn register_alarm(self: &Rc<Self>, actor: &Rc<Actor>, time_ms: u64) -> bool {
        let key = actor.alarm_key();
        let known = self.alarm_index().find(&key);
        let looked_at_ms = time_ms.max(self.clock().now_ms());
        if known.is_some_and(|known| known.time_ms <= looked_at_ms) {
            return false;
        }
        let known = Known { time_ms, counted: 0, name: actor.root_name().map(str::to_owned) };
        let (wake, token) = (Arc::clone(self.wake_queue()), actor.token());
        self.alarms().registering.borrow_mut().push(Rc::clone(actor));
        let on_synced = move |outcome| {
            let letter = move |shard: &Rc<Shard>| shard.alarm_registered(token, outcome);
            wake.post(Letter::Task(Box::new(letter)));
        };
        self.alarm_index().register(&key, &known, Box::new(on_synced));
        true
    }

    fn alarm_registered(&self, token: u64, outcome: Result<(), storage::Error>) {
        let actor = {
            let mut registering = self.alarms().registering.borrow_mut();
            let at = registering.iter().position(|actor| actor.token() == token);
            at.map(|at| registering.swap_remove(at))
        };
        if let Some(actor) = actor {
            actor.alarm_registered(outcome);
        }
    }

    /// Commits what still waits for the index, blocking until it is there; at the shard's end.
    pub(crate) fn finish_registering(self: &Rc<Self>) {
        for actor in self.alarms().registering.take() {
            let (sent, synced) = std::sync::mpsc::channel();
            let on_synced = move |outcome| drop(sent.send(outcome));
            let name = actor.root_name().map(str::to_owned);
            // At any time: whoever looks sooner finds the right one in the database.
            let known = Known { time_ms: self.clock().now_ms(), counted: 0, name };
            self.alarm_index().register(&actor.alarm_key(), &known, Box::new(on_synced));
            if let Ok(outcome) = synced.recv() {
                actor.alarm_registered(outcome);
            }
        }
    }

    /// A commit with this alarm, or none, is durable.
    pub(crate) fn alarm_settled(
        self: &Rc<Self>,
        key: &AlarmKey,
        time_ms: Option<u64>,
        name: Option<&str>,
    ) {
        {
            let mut schedule = self.alarms().schedule.borrow_mut();
            match time_ms {
                Some(time_ms) => schedule.set(key, time_ms),
                None => schedule.delete(key),
            }
        }
        let name = name.map(str::to_owned);
        let known = time_ms.map(|time_ms| Known { time_ms, counted: 0, name });
        self.alarm_index().note(key, known.as_ref());
        self.tick_when_due();
    }

    /// A database was opened that has this alarm.
    pub(crate) fn check_alarm(self: &Rc<Self>, key: &AlarmKey, time_ms: u64, name: Option<&str>) {
        if !self.alarms().schedule.borrow().contains(key) {
            self.alarm_settled(key, Some(time_ms), name);
        }
    }

    /// An actor started: if its alarm waited for somebody who can run it, here it is.
    pub(crate) fn resume_alarm(self: &Rc<Self>, actor: &Actor) {
        if self.alarms().has_parked.get() {
            self.alarms().schedule.borrow_mut().resume(&actor.alarm_key());
            self.tick_when_due();
        }
    }

    /// The databases of these facets are gone, and their alarms with them.
    pub(crate) fn forget_alarms(&self, root: &Root, numbers: &[u16]) {
        for number in numbers {
            let class = Arc::clone(&root.class);
            let key = AlarmKey { class, id: root.id.bytes(), number: *number };
            self.alarms().schedule.borrow_mut().forget(&key);
            self.alarm_index().note(&key, None);
        }
    }

    /// As [`forget_alarms`](Self::forget_alarms), of a whole tree.
    pub(crate) fn forget_tree_alarms(&self, root: &Root) {
        let mut numbers = Vec::new();
        self.alarm_index().each(|key, _| {
            if key.id == root.id.bytes() && key.class == root.class {
                numbers.push(key.number);
            }
        });
        self.forget_alarms(root, &numbers);
    }
}

/// What became of the search for a facet.
enum FacetFound {
    Slot(Rc<FacetSlot>),
    /// No supervisor says what class it has.
    NoClass,
    /// The index has no facet of this number.
    NoSuch,
}

/// Whose fault a failure is (AL-7).
fn outcome_of(error: &Error) -> Outcome {
    match error {
        Error::AppThrew(thrown) if matches!(thrown.code, Some("storage" | "internal")) => {
            Outcome::FailedUncounted
        }
        Error::AppThrew(_)
        | Error::AppCode(_)
        | Error::AppCpu(_)
        | Error::AppMemory(_)
        | Error::AppSubRequests(_)
        | Error::AppWall(_)
        | Error::BrokenReset(_) => Outcome::FailedCounted,
        // The class may be back after the next start.
        Error::AppStart(_) | Error::AppNoHandler(_) => Outcome::Parked,
        Error::OverloadQueue { .. }
        | Error::OverloadIsolates { .. }
        | Error::OverloadActors { .. }
        | Error::OverloadQuarantine { .. }
        | Error::OverloadShutdown
        | Error::BrokenStorage(_)
        | Error::BrokenFull(_)
        | Error::Bug(_) => Outcome::FailedUncounted,
    }
}

/// Between 0 and 1.
fn jitter() -> f64 {
    // Without randomness tries only come together.
    getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX))
}

/// How late a change of the system's clock is noticed.
const CLOCK_CHECK_MS: u64 = 10_000;
