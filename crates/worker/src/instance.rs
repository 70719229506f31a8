//! What a running worker shares with the ops of its isolate: its events, the promises that
//! wait, its actors, its timers.
//!
//! Ops reach it through `OpState`. It never enters an isolate: it queues deliveries, and the
//! shard makes them.

mod inbox;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::AbortHandle;

use crate::actor::Actor;
use crate::actor_table::ActorTable;
use crate::code::{Env, WorkerCode, WorkerLimits};
use crate::entrypoint::{Call, Entrypoint, Serialized};
use crate::error::Error;
use crate::event::{Context, Delivery, Entry, Event, EventKind, Outgoing, SettledForm};
use crate::event_table::EventTable;
use crate::limits::{TIMER_MS_MAX, TIMERS_MAX};
use crate::loader::{LoadedWorker, LoaderNamespace, WorkerSource};
pub use crate::log::LogLevel;
use crate::log::LogPace;
use crate::message::{Request, RequestId, Response};
use crate::meter::Meters;
use crate::pipeline::{Pipeline, Waiting};
use crate::shard::Shard;
use crate::socket_table::SocketTable;
use crate::worker::Worker;

pub(crate) use inbox::GateChange;

/// The host side of one worker in one isolate.
pub struct Instance {
    /// The code it runs.
    pub code: WorkerCode,
    shard: Rc<Shard>,
    worker: OnceCell<Weak<Worker>>,
    pub(crate) events: RefCell<EventTable>,
    settled: RefCell<HashMap<u32, Result<Payload, Error>>>,
    inbox: RefCell<VecDeque<(Delivery, Context)>>,
    /// What the running turn is on behalf of.
    current: Cell<Context>,
    /// Actors whose input gate the running turn changed, and what to do with it at its end.
    unsettled: RefCell<Vec<(Rc<Actor>, GateChange)>>,
    last_section: Cell<u32>,
    actors: RefCell<ActorTable>,
    exports: RefCell<HashMap<String, ExportKind>>,
    timers: RefCell<HashMap<u32, AbortHandle>>,
    loader: OnceCell<Rc<LoaderNamespace>>,
    pub(crate) outbound: OnceCell<Rc<dyn Entrypoint>>,
    pub(crate) meters: Meters,
    pub(crate) log_pace: LogPace,
    /// The sockets that listeners in this isolate hear.
    pub(crate) sockets: SocketTable,
    scheduled: Cell<bool>,
    /// Promises that wait for something outside of the isolate.
    deferred: Cell<usize>,
    /// Objects that others hold.
    pub(crate) lent: Cell<usize>,
    /// The calls whose results are waited for, by promise.
    pub(crate) pipelines: RefCell<HashMap<u32, Arc<Pipeline>>>,
    /// Those that waited for the result that is known now.
    pub(crate) waiting_calls: RefCell<Vec<Waiting>>,
    /// Held by what waits to leave the worker, so that nothing overtakes it.
    pub(crate) leaving: Rc<tokio::sync::Mutex<()>>,
    /// What is held by `waitUntil()` and open streams.
    pub(crate) held: Cell<i32>,
    /// The dynamic worker it runs, if it is one.
    pub(crate) loaded: OnceCell<Weak<LoadedWorker>>,
}

/// What a promise of an isolate is settled with.
pub enum Payload {
    /// `undefined`.
    Undefined,
    /// `null`.
    Null,
    /// A `Uint8Array`.
    Bytes(Bytes),
    /// A structured clone.
    Serialized(Serialized),
    /// A response of another worker.
    Response(Response),
}

/// What an export of a worker can be used as (`spec/workers.md` DO-36).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportKind {
    /// A class that extends `DurableObject`.
    ActorClass,
    /// An object with handlers or a class that extends `WorkerEntrypoint`.
    Entrypoint,
    /// Another function or class; an old class for actors extends nothing.
    Function,
}

impl Instance {
    pub(crate) fn new(code: WorkerCode, shard: Rc<Shard>) -> Instance {
        Instance {
            meters: Meters::new(&shard, &code.tails),
            code,
            shard,
            worker: OnceCell::new(),
            events: RefCell::default(),
            settled: RefCell::default(),
            inbox: RefCell::default(),
            current: Cell::default(),
            unsettled: RefCell::default(),
            last_section: Cell::new(0),
            actors: RefCell::default(),
            exports: RefCell::default(),
            timers: RefCell::default(),
            loader: OnceCell::new(),
            outbound: OnceCell::new(),
            log_pace: LogPace::default(),
            sockets: SocketTable::default(),
            scheduled: Cell::new(false),
            deferred: Cell::new(0),
            lent: Cell::new(0),
            pipelines: RefCell::default(),
            waiting_calls: RefCell::default(),
            leaving: Rc::default(),
            held: Cell::new(0),
            loaded: OnceCell::new(),
        }
    }

    pub(crate) fn attach(&self, worker: &Rc<Worker>) {
        // A second worker cannot exist: `Worker::start` is the only caller.
        let _ = self.worker.set(Rc::downgrade(worker));
    }

    /// The shard this instance lives on.
    #[must_use]
    pub fn shard(&self) -> &Rc<Shard> {
        &self.shard
    }

    /// The worker this is the host side of; `None` while it starts or after it broke.
    #[must_use]
    pub fn worker(&self) -> Option<Rc<Worker>> {
        self.worker.get().and_then(Weak::upgrade)
    }

    /// How its own exports are reached.
    #[must_use]
    pub fn source(self: &Rc<Self>) -> WorkerSource {
        // Its isolate may leave memory and come back.
        if let Some(loaded) = self.loaded.get().and_then(Weak::upgrade) {
            return WorkerSource::Loaded(loaded);
        }
        match &self.code.env {
            Env::Configured(bindings) => {
                WorkerSource::Configured(Rc::clone(&self.shard), bindings.place)
            }
            Env::Given(_) => WorkerSource::Own(Rc::downgrade(self)),
        }
    }

    /// The loader binding's namespace of this worker (WL-5).
    #[must_use]
    pub fn loader(&self) -> &Rc<LoaderNamespace> {
        self.loader.get_or_init(|| LoaderNamespace::new(Rc::clone(&self.shard)))
    }

    /// Ends the isolate with all that runs in it, on its own wish.
    pub fn abort_isolate(&self, reason: &str) {
        let loaded = self.loaded.get().and_then(Weak::upgrade);
        if let Some(loaded) = loaded {
            loaded.give_up_name();
        }
        let text = match reason {
            "" => "The isolate was aborted by abortIsolate().".to_owned(),
            reason => format!("The isolate was aborted: {reason}"),
        };
        if let Some(worker) = self.worker() {
            worker.break_with(&Error::reset(text));
        }
    }

    /// Notes what the main module exports.
    pub fn set_exports(&self, exports: impl IntoIterator<Item = (String, ExportKind)>) {
        self.exports.borrow_mut().extend(exports);
    }

    /// What an export is; the default export's name is `default`.
    #[must_use]
    pub fn export(&self, name: &str) -> Option<ExportKind> {
        self.exports.borrow().get(name).copied()
    }

    /// Adds an actor; gives the number by which the isolate knows it, never 0.
    pub(crate) fn add_actor(&self, actor: Rc<Actor>) -> u32 {
        self.actors.borrow_mut().add(actor)
    }

    /// The actor the isolate knows by this number.
    #[must_use]
    pub fn actor(&self, index: u32) -> Option<Rc<Actor>> {
        self.actors.borrow().find(index)
    }

    /// All actors that live in this isolate.
    pub(crate) fn actors(&self) -> Vec<Rc<Actor>> {
        self.actors.borrow().all()
    }

    /// Forgets an actor and fails its events.
    pub(crate) fn remove_actor(&self, index: u32, error: &Error) {
        if index == 0 {
            return;
        }
        self.actors.borrow_mut().remove(index);
        self.sockets.end_of(index);
        self.fail_events(error, |event| {
            event.actor.as_ref().is_some_and(|actor| actor.index() == index)
        });
        self.queue(Delivery::Forget(index), Context::NONE);
    }

    /// Fails the events that `which` picks.
    pub(crate) fn fail_events(&self, error: &Error, which: impl Fn(&Event) -> bool) {
        let events = self.events.borrow_mut().take(which);
        events.into_iter().for_each(|event| event.fail(error.clone()));
    }

    /// True if no event, timer or deferred work is in the isolate.
    pub(crate) fn is_quiet(&self) -> bool {
        self.events.borrow().len() == 0
            && self.inbox.borrow().is_empty()
            && self.timers.borrow().is_empty()
            && self.deferred.get() == 0
            && self.lent.get() == 0
            && !self.is_held()
            && self.sockets.is_empty()
    }

    /// True if neither a delivery, a timer, a socket nor deferred work is left.
    pub(crate) fn waits_for_nothing(&self) -> bool {
        self.inbox.borrow().is_empty()
            && self.timers.borrow().is_empty()
            && self.deferred.get() == 0
            && self.sockets.is_empty()
    }

    /// Stops everything that could still reach the isolate.
    pub(crate) fn stop(&self) {
        self.inbox.borrow_mut().clear();
        self.settled.borrow_mut().clear();
        self.sockets.end();
        self.unsettled.borrow_mut().clear();
        for (_, timer) in self.timers.take() {
            timer.abort();
        }
    }

    /// Looks at the request of a `fetch` event; `None` once the event is over.
    pub fn with_request<R>(&self, event: u32, f: impl FnOnce(&mut Request) -> R) -> Option<R> {
        match &mut self.events.borrow_mut().find_mut(event)?.kind {
            EventKind::Fetch(request, _) => request.as_mut().map(f),
            _ => None,
        }
    }

    /// Looks at line and headers of the request of a `fetch` event, also for a while after it was
    /// answered.
    pub fn with_head<R>(&self, event: u32, f: impl FnOnce(&Request) -> R) -> Option<R> {
        self.events.borrow().head(event).map(f)
    }

    /// The request of a `fetch` event, to hand it on: the body moves, everything else can still
    /// be looked at.
    #[must_use]
    pub fn hand_on_request(&self, event: u32) -> Option<Request> {
        self.with_request(event, |request| Request {
            id: request.id,
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            body: std::mem::take(&mut request.body),
        })
    }

    /// Takes the call of an RPC event.
    #[must_use]
    pub fn take_call(&self, event: u32) -> Option<Call> {
        match &mut self.events.borrow_mut().find_mut(event)?.kind {
            EventKind::Call(call, _) => {
                let pipeline = call.as_ref()?.pipeline.clone();
                // What waits for the result stays with the event.
                call.replace(Call { pipeline, ..Call::default() })
            }
            _ => None,
        }
    }

    /// The id of the request an event was made by.
    #[must_use]
    pub fn request_id(&self, event: u32) -> Option<RequestId> {
        self.events.borrow().request(event)
    }

    /// Whether an event that is not answered yet is an RPC call; `None` for one that is.
    #[must_use]
    pub fn is_call(&self, event: u32) -> Option<bool> {
        let events = self.events.borrow();
        events.find(event).map(|event| matches!(event.kind, EventKind::Call(..)))
    }

    /// The stateless entrypoint an event is for.
    #[must_use]
    pub fn entry(&self, event: u32) -> Option<Entry> {
        Some(self.events.borrow().find(event)?.entry.clone())
    }

    /// True if the running turn was told to end: what it still says counts no more.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.shard.is_turn_ended()
    }

    /// Settles a `fetch` event, unless the turn that does was told to end.
    pub fn answer(&self, event: u32, answer: Result<Response, Error>) {
        if self.is_ended() {
            return;
        }
        self.meters.answered(event, answer.as_ref().err(), answer.as_ref().ok());
        let number = event;
        let event = self.events.borrow_mut().remove(event);
        let Some(Event { actor, kind: EventKind::Fetch(request, way), .. }) = event else { return };
        let answer = answer.and_then(|response| response.fit_for(request.as_ref()));
        if let Some(request) = request {
            self.events.borrow_mut().keep_head(number, request);
        }
        leave(actor, Outgoing::Response(way, answer));
    }

    /// Settles an RPC event, unless the turn that does was told to end.
    pub fn answer_call(&self, event: u32, answer: Result<Serialized, Error>) {
        if self.is_ended() {
            return;
        }
        self.meters.answered(event, answer.as_ref().err(), None);
        let event = self.events.borrow_mut().remove(event);
        let Some(Event { actor, kind: EventKind::Call(_, way), .. }) = event else { return };
        leave(actor, Outgoing::Returned(way, answer));
    }

    /// Settles whatever kind of event this is with an error.
    pub fn fail(&self, event: u32, error: Error) {
        self.meters.answered(event, Some(&error), None);
        let number = event;
        let event = self.events.borrow_mut().remove(event);
        match event {
            Some(Event { actor: Some(actor), kind: EventKind::Construct, .. }) => {
                actor.break_with(&error.of_construction());
            }
            Some(Event { actor, kind: EventKind::Fetch(request, way), .. }) => {
                if let Some(request) = request {
                    self.events.borrow_mut().keep_head(number, request);
                }
                leave(actor, Outgoing::Response(way, Err(error)));
            }
            Some(Event { actor, kind: EventKind::Call(_, way), .. }) => {
                leave(actor, Outgoing::Returned(way, Err(error)));
            }
            Some(Event { actor: Some(actor), kind: EventKind::Alarm(_, way), .. }) => {
                actor.alarm_failed();
                actor.leave(Outgoing::Alarm(way, Err(error)));
            }
            Some(event) => event.fail(error),
            None => {}
        }
    }

    /// Settles the construction of an actor.
    pub fn constructed(&self, event: u32) {
        self.events.borrow_mut().remove(event);
    }

    /// Settles promise `slot` when the future is done, on behalf of what runs now. The future runs
    /// on the shard and never touches V8; it is dropped with the worker.
    pub fn defer(
        self: &Rc<Self>,
        slot: u32,
        future: impl Future<Output = Result<Payload, Error>> + 'static,
    ) {
        self.meters.note_slot(slot, |event| self.events.borrow().find(event).is_some());
        let instance = Rc::downgrade(self);
        let context = self.current();
        self.deferred.set(self.deferred.get() + 1);
        self.shard.spawn(async move {
            let result = future.await;
            if let Some(instance) = instance.upgrade() {
                instance.deferred.set(instance.deferred.get() - 1);
                instance.settle(slot, context, result);
            }
        });
    }

    fn settle(&self, slot: u32, context: Context, result: Result<Payload, Error>) {
        let form = match &result {
            Ok(Payload::Serialized(value)) if !value.is_plain() => SettledForm::Packed,
            Err(Error::AppThrew(thrown)) if thrown.value.is_some() => SettledForm::Thrown,
            _ => SettledForm::Plain,
        };
        self.settled.borrow_mut().insert(slot, result);
        self.queue(Delivery::Settle(slot, form), context);
        self.shard.pump();
    }

    /// Takes what promise `slot` is settled with.
    #[must_use]
    pub fn take_settled(&self, slot: u32) -> Option<Result<Payload, Error>> {
        self.settled.borrow_mut().remove(&slot)
    }

    /// Waits until everything the worker's actors wrote so far is durable: a message that is
    /// about to leave the worker may reveal any of it. `None` when all of it is.
    #[must_use]
    pub fn writes_durable(&self) -> Option<impl Future<Output = Result<(), Error>> + use<>> {
        let actors = self.actors();
        let signals: Vec<_> =
            actors.iter().filter_map(|actor| actor.signal_when_durable()).collect();
        if signals.is_empty() {
            return None;
        }
        Some(async move {
            for signal in signals {
                signal.await.unwrap_or_else(|_| Err(Error::reset("The worker was stopped.")))?;
            }
            Ok(())
        })
    }

    /// Starts a timer that delivers `timer` after `delay_ms`; false if there are as many as may be.
    #[must_use]
    pub fn timer_start(self: &Rc<Self>, timer: u32, delay_ms: u64) -> bool {
        let timers_max = WorkerLimits::lower(self.code.limits.timers, TIMERS_MAX);
        if self.timers.borrow().len() >= timers_max {
            return false;
        }
        self.meters.note_timer(timer, |event| self.events.borrow().find(event).is_some());
        let instance = Rc::downgrade(self);
        let context = self.current();
        let delay = Duration::from_millis(delay_ms.min(TIMER_MS_MAX));
        let task = self.shard.spawn(async move {
            tokio::time::sleep(delay).await;
            let Some(instance) = instance.upgrade() else { return };
            instance.timers.borrow_mut().remove(&timer);
            instance.queue(Delivery::Timer(timer), context);
            instance.shard.pump();
        });
        self.timers.borrow_mut().insert(timer, task);
        true
    }

    /// Stops a timer; one that fired or never was is no error.
    pub fn timer_stop(&self, timer: u32) {
        self.meters.drop_timer(timer);
        if let Some(task) = self.timers.borrow_mut().remove(&timer) {
            task.abort();
        }
    }
}

/// Brings an answer to the output gate of its actor; a stateless worker has none.
pub(crate) fn leave(actor: Option<Rc<Actor>>, outgoing: Outgoing) {
    match actor {
        Some(actor) => actor.leave(outgoing),
        None => outgoing.send(),
    }
}
