//! The worker loader: from code that a supervisor passed to a worker that runs
//! (`spec/workers.md` §1).

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};

use isolate::Bundle;

use crate::code::{self, WorkerCode};
use crate::error::Error;
use crate::instance::Instance;
use crate::limits::{ACTOR_WAITING_MAX, NAMED_WORKERS_MAX};
use crate::shard::Shard;
use crate::worker::Worker;

/// Dynamic workers by the name a supervisor gave them (WL-5).
pub struct LoaderNamespace {
    shard: Rc<Shard>,
    named: RefCell<HashMap<String, Rc<LoadedWorker>>>,
}

/// A dynamic worker: its code once known, and its isolate once needed.
pub struct LoadedWorker {
    shard: Rc<Shard>,
    state: RefCell<State>,
    used: std::cell::Cell<u64>,
    /// Since when it is idle, as far as sweeps saw, and its last use then.
    idle: std::cell::Cell<Option<(u64, u64)>>,
    /// Its name is free for other code: it ended itself.
    is_aborted: std::cell::Cell<bool>,
    /// That its code changed was reported.
    is_reported: std::cell::Cell<bool>,
}

type Waiting = Box<dyn FnOnce(Result<Rc<Worker>, Error>)>;

enum State {
    /// The callback that gives the code runs.
    Pending(Vec<Waiting>),
    /// The code is known; the isolate is made when it is needed and kept while it lives.
    Defined(Box<WorkerCode>, Option<Rc<Worker>>),
    Failed(Error),
}

/// A worker whose exports can be used.
#[derive(Clone)]
pub enum WorkerSource {
    /// The configured worker at a place; whatever isolate it has on this shard.
    Configured(Rc<Shard>, usize),
    /// The dynamic worker that asks.
    Own(Weak<Instance>),
    /// A dynamic worker.
    Loaded(Rc<LoadedWorker>),
}

/// What was found under a loader name.
pub enum Found {
    /// A worker that is known; the callback must not be called.
    Known(Rc<LoadedWorker>),
    /// A worker that is known; the callback may be called to see whether it still gives the
    /// same code, see [`LoadedWorker::compare`].
    ToCheck(Rc<LoadedWorker>),
    /// A new one: the caller gets the code and calls [`LoadedWorker::define`] or
    /// [`LoadedWorker::fail`].
    New(Rc<LoadedWorker>),
}

impl LoaderNamespace {
    pub(crate) fn new(shard: Rc<Shard>) -> Rc<LoaderNamespace> {
        Rc::new(LoaderNamespace { shard, named: RefCell::default() })
    }

    /// Finds the worker of this name or makes room for it; `None` is always new.
    pub fn find(&self, name: Option<&str>) -> Found {
        let Some(name) = name else { return Found::New(LoadedWorker::new(&self.shard)) };
        let known = self.named.borrow().get(name).cloned();
        if let Some(worker) = known.filter(|worker| worker.keeps_its_name()) {
            worker.used.set(self.shard.next_number());
            let checks = self.shard.limits().check_loads && worker.is_defined();
            return if checks { Found::ToCheck(worker) } else { Found::Known(worker) };
        }
        self.drop_unused();
        let worker = LoadedWorker::new(&self.shard);
        self.named.borrow_mut().insert(name.into(), Rc::clone(&worker));
        Found::New(worker)
    }

    /// Forgets the code of named workers that nobody uses, once there are many.
    fn drop_unused(&self) {
        let mut named = self.named.borrow_mut();
        if named.len() >= NAMED_WORKERS_MAX {
            named.retain(|_, worker| Rc::strong_count(worker) > 1);
        }
    }
}

impl LoadedWorker {
    fn new(shard: &Rc<Shard>) -> Rc<LoadedWorker> {
        Rc::new(LoadedWorker {
            shard: Rc::clone(shard),
            state: RefCell::new(State::Pending(Vec::new())),
            used: std::cell::Cell::new(shard.next_number()),
            idle: std::cell::Cell::new(None),
            is_aborted: std::cell::Cell::new(false),
            is_reported: std::cell::Cell::new(false),
        })
    }

    /// The code is known.
    pub fn define(self: &Rc<Self>, code: WorkerCode) {
        let state = self.state.replace(State::Defined(Box::new(code), None));
        if let State::Pending(waiting) = state {
            for waiter in waiting {
                self.with_worker(waiter);
            }
        }
    }

    /// There will be no code; everybody who waits gets the error (WL-13), and a later `get`
    /// of the same name tries anew (WL-10).
    pub fn fail(&self, error: Error) {
        let state = self.state.replace(State::Failed(error.clone()));
        if let State::Pending(waiting) = state {
            waiting.into_iter().for_each(|waiter| waiter(Err(error.clone())));
        }
    }

    fn keeps_its_name(&self) -> bool {
        !self.is_aborted.get() && !matches!(&*self.state.borrow(), State::Failed(_))
    }

    fn is_defined(&self) -> bool {
        matches!(&*self.state.borrow(), State::Defined(..))
    }

    /// It ended itself: a later `get` of the same name asks for the code again (WL-42).
    pub(crate) fn give_up_name(&self) {
        self.is_aborted.set(true);
    }

    /// Reports, once, that another code than `bundle` runs under this name: whoever changes code
    /// must change its name too, or the old one goes on running (PIT-14).
    pub fn compare(&self, bundle: &Bundle) {
        let State::Defined(code, _) = &*self.state.borrow() else { return };
        if self.is_reported.get() || code::hash(&code.bundle) == code::hash(bundle) {
            return;
        }
        self.is_reported.set(true);
        tracing::warn!(
            worker = &*code.name,
            "the code given for this name changed, and what was loaded first goes on running; \
             give changed code another name"
        );
    }

    /// When it was used last, if it has an isolate in which no actor lives and nothing runs.
    pub(crate) fn idle_since(&self) -> Option<u64> {
        match &*self.state.borrow() {
            State::Defined(_, Some(worker)) => {
                let is_idle = Rc::strong_count(worker) == 1 && worker.instance.is_quiet();
                is_idle.then_some(self.used.get())
            }
            State::Pending(_) | State::Defined(_, None) | State::Failed(_) => None,
        }
    }

    /// A sweep comes by: gives up the isolate if it is idle for long enough. True if it has none.
    pub(crate) fn leaves(&self, now_ms: u64) -> bool {
        let Some(used) = self.idle_since() else {
            self.idle.set(None);
            return !matches!(&*self.state.borrow(), State::Defined(_, Some(_)));
        };
        match self.idle.get() {
            Some((since_ms, at)) if at == used => {
                let is_over = now_ms.saturating_sub(since_ms) >= IDLE_WORKER_MS;
                if is_over {
                    self.evict();
                }
                is_over
            }
            _ => {
                self.idle.set(Some((now_ms, used)));
                false
            }
        }
    }

    /// Gives up its isolate; the next use makes another from the code (WL-4).
    pub(crate) fn evict(&self) {
        if let State::Defined(_, worker) = &mut *self.state.borrow_mut() {
            worker.take();
        }
    }

    /// Calls back with the running worker, starting it if need be; at once or later.
    ///
    /// Never from inside an isolate: see [`WorkerSource::with_worker`].
    fn with_worker(self: &Rc<Self>, f: impl FnOnce(Result<Rc<Worker>, Error>) + 'static) {
        if let Some(worker) = self.running() {
            self.used.set(self.shard.next_number());
            return f(Ok(worker));
        }
        let code = match &mut *self.state.borrow_mut() {
            State::Pending(waiting) if waiting.len() < ACTOR_WAITING_MAX => {
                return waiting.push(Box::new(f));
            }
            State::Pending(_) => Err(Error::OverloadQueue { queued_max: ACTOR_WAITING_MAX }),
            State::Failed(error) => Err(error.clone()),
            State::Defined(code, _) => Ok((**code).clone()),
        };
        match code {
            Ok(code) => self.start(code, f),
            Err(error) => f(Err(error)),
        }
    }

    /// Its isolate, if it has one that may still run.
    fn running(&self) -> Option<Rc<Worker>> {
        match &*self.state.borrow() {
            State::Defined(_, worker) => worker.clone().filter(|worker| worker.is_alive()),
            State::Pending(_) | State::Failed(_) => None,
        }
    }

    fn start(
        self: &Rc<Self>,
        code: WorkerCode,
        f: impl FnOnce(Result<Rc<Worker>, Error>) + 'static,
    ) {
        let this = Rc::clone(self);
        self.shard.outside(move |shard| {
            // Another waiter may have started it meanwhile.
            if let Some(worker) = this.running() {
                return f(Ok(worker));
            }
            match Worker::start(shard, &code) {
                Err(Error::OverloadIsolates { .. }) => {
                    shard.load_later(move |shard, has_room| match has_room {
                        Ok(()) => f(this
                            .running()
                            .map_or_else(|| this.started(&code, Worker::start(shard, &code)), Ok)),
                        Err(error) => f(Err(error)),
                    });
                }
                started => f(this.started(&code, started)),
            }
        });
    }

    /// Notes how a start ended. One that found no room may be tried again with the same code.
    fn started(
        self: &Rc<Self>,
        code: &WorkerCode,
        started: Result<Rc<Worker>, Error>,
    ) -> Result<Rc<Worker>, Error> {
        match &started {
            Ok(worker) => {
                worker.instance.is_of(self);
                let defined = State::Defined(Box::new(code.clone()), Some(Rc::clone(worker)));
                drop(self.state.replace(defined));
                self.shard.loaded().add(self);
                self.shard.sweep_later();
            }
            Err(Error::OverloadIsolates { .. }) => {}
            Err(error) => drop(self.state.replace(State::Failed(error.clone()))),
        }
        started
    }
}

impl WorkerSource {
    /// Calls back with the running worker; at once if it runs, else after it was started
    /// outside of any isolate.
    pub fn with_worker(&self, f: impl FnOnce(Result<Rc<Worker>, Error>) + 'static) {
        match self {
            WorkerSource::Loaded(loaded) => loaded.with_worker(f),
            WorkerSource::Configured(shard, place) => {
                let place = *place;
                match shard.running_worker(place) {
                    Some(worker) => f(Ok(worker)),
                    None => shard.outside(move |shard| f(shard.configured_worker(place))),
                }
            }
            WorkerSource::Own(instance) => {
                let worker = instance.upgrade().and_then(|instance| instance.worker());
                f(worker.ok_or_else(|| Error::reset("The worker is no longer running.")));
            }
        }
    }
}

/// How long an isolate without work stays.
const IDLE_WORKER_MS: u64 = 10_000;
