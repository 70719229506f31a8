//! Client handles: to an actor wherever it lives, and to a stateless entrypoint of a worker.

use std::cell::OnceCell;
use std::rc::Rc;

use tokio::sync::oneshot;

use crate::abort::{Aborted, abortable};
use crate::actor_id::ActorId;
use crate::capability::{Capability, OF_DYNAMIC_WORKER};
use crate::entrypoint::{Call, Entrypoint, Reply, Serialized};
use crate::error::Error;
use crate::event::{Answer, Entry, Event, EventKind};
use crate::instance::{Instance, Payload};
use crate::loader::WorkerSource;
use crate::message::{Request, Response};
use crate::pipeline::SentCall;
use crate::redirect::{self, Redirects};
use crate::shard::Shard;

/// A handle to an actor of a namespace; its instance is made at the first event.
pub struct ActorStub {
    shard: Rc<Shard>,
    key: Rc<str>,
    id: ActorId,
    /// Why it never works again (DO-33).
    broken: Rc<OnceCell<Error>>,
}

/// A handle to an export of a worker on the same shard.
pub struct WorkerStub {
    source: WorkerSource,
    entry: Entry,
}

/// The default export of the first configured worker of this process.
pub struct MainStub {
    shard: Rc<Shard>,
}

/// A place on this shard that takes events; what [`Entrypoint`] asks follows from it.
pub(crate) trait Deliver {
    /// Takes an event whose answer has a way back.
    fn deliver(&self, kind: EventKind);

    /// As [`Entrypoint::capability`].
    fn capability(&self) -> Result<Capability, &'static str>;
}

impl<T: Deliver> Entrypoint for T {
    fn fetch(&self, request: Request) -> Reply<Response> {
        let (answer, reply) = reply();
        self.deliver(EventKind::Fetch(Some(request), answer));
        reply
    }

    fn call(&self, call: Call) -> Reply<Serialized> {
        let (answer, reply) = reply();
        self.deliver(EventKind::Call(Some(call), answer));
        reply
    }

    fn capability(&self) -> Result<Capability, &'static str> {
        Deliver::capability(self)
    }
}

/// Where an answer goes, and the future of it.
pub(crate) fn reply<T: 'static>() -> (Answer<T>, Reply<T>) {
    let (answer, waiter) = oneshot::channel();
    let reply = async move {
        // Nobody drops an answer unsent but a worker that is dropped as a whole.
        waiter.await.unwrap_or_else(|_| Err(Error::reset("The worker was stopped.")))
    };
    (answer, Box::pin(reply))
}

impl ActorStub {
    /// A handle to the actor `id` of the namespace with this unique key.
    #[must_use]
    pub fn new(shard: Rc<Shard>, key: Rc<str>, id: ActorId) -> ActorStub {
        ActorStub { shard, key, id, broken: Rc::default() }
    }

    /// As [`reply`], where a reset of the actor breaks the stub for ever: whoever counts on the
    /// order of calls must not find a gap in it.
    fn reply<T: 'static>(&self) -> (Answer<T>, Reply<T>) {
        let (answer, reply) = oneshot::channel();
        let broken = Rc::clone(&self.broken);
        let reply = async move {
            let outcome =
                reply.await.unwrap_or_else(|_| Err(Error::reset("The worker was stopped.")));
            if let Err(error) = &outcome
                && error.resets_actor()
            {
                broken.get_or_init(|| error.clone());
            }
            outcome
        };
        (answer, Box::pin(reply))
    }

    /// The answer of a stub that is broken.
    fn refusal<T: 'static>(&self) -> Option<Reply<T>> {
        let error = self.broken.get()?.clone();
        Some(Box::pin(std::future::ready(Err(error))))
    }

    fn send(&self, kind: EventKind) {
        let (key, id) = (Rc::clone(&self.key), self.id.clone());
        self.shard.outside(move |shard| shard.deliver_to_actor(&key, &id, kind));
    }

    /// Stops the actor and erases all it and its facets ever stored, without opening it.
    ///
    /// # Errors
    /// [`Error::BrokenStorage`] when files cannot be removed; what is left can be erased again.
    #[must_use]
    pub fn erase(&self) -> Reply<()> {
        let owner = self.shard.owner(&self.id);
        if owner != self.shard.index() {
            return self.elsewhere(owner, ActorStub::erase);
        }
        let (answer, reply) = reply();
        let (key, id) = (Rc::clone(&self.key), self.id.clone());
        self.shard.outside(move |shard| drop(answer.send(shard.erase_actor(&key, &id))));
        reply
    }

    /// Runs `f` with a stub on the owner's shard and brings its answer back.
    fn elsewhere<T, F>(&self, owner: usize, f: F) -> Reply<T>
    where
        T: Send + 'static,
        F: FnOnce(&ActorStub) -> Reply<T> + Send + 'static,
    {
        let (answer, reply) = self.reply();
        let (key, id) = (self.key.to_string(), self.id.clone());
        self.shard.dispatch(owner, move |shard| {
            let stub = ActorStub::new(Rc::clone(shard), key.into(), id);
            let reply = f(&stub);
            shard.spawn(async move { drop(answer.send(reply.await)) });
        });
        reply
    }
}

impl Entrypoint for ActorStub {
    fn fetch(&self, request: Request) -> Reply<Response> {
        if let Some(refusal) = self.refusal() {
            return refusal;
        }
        let owner = self.shard.owner(&self.id);
        if owner != self.shard.index() {
            return self.elsewhere(owner, |stub| stub.fetch(request));
        }
        let (answer, reply) = self.reply();
        self.send(EventKind::Fetch(Some(request), answer));
        reply
    }

    fn call(&self, call: Call) -> Reply<Serialized> {
        if let Some(refusal) = self.refusal() {
            return refusal;
        }
        let owner = self.shard.owner(&self.id);
        if owner != self.shard.index() {
            return self.elsewhere(owner, |stub| stub.call(call));
        }
        let (answer, reply) = self.reply();
        self.send(EventKind::Call(Some(call), answer));
        reply
    }

    fn capability(&self) -> Result<Capability, &'static str> {
        Ok(Capability::Actor { key: (*self.key).into(), id: self.id.clone() })
    }
}

impl WorkerStub {
    /// A handle to an entrypoint of a worker.
    #[must_use]
    pub fn new(source: WorkerSource, entry: Entry) -> WorkerStub {
        WorkerStub { source, entry }
    }
}

impl Deliver for WorkerStub {
    fn deliver(&self, kind: EventKind) {
        let entry = self.entry.clone();
        self.source.with_worker(move |worker| match worker {
            Ok(worker) => worker.instance.deliver(Event { actor: None, entry, kind }),
            Err(error) => Event { actor: None, entry, kind }.fail(error),
        });
    }

    fn capability(&self) -> Result<Capability, &'static str> {
        match self.source {
            WorkerSource::Configured(_, worker) => {
                Ok(Capability::Service(worker, self.entry.clone()))
            }
            WorkerSource::Own(_) | WorkerSource::Loaded(_) => Err(OF_DYNAMIC_WORKER),
        }
    }
}

impl MainStub {
    /// The entrypoint that a script run by itself serves.
    #[must_use]
    pub fn new(shard: Rc<Shard>) -> MainStub {
        MainStub { shard }
    }
}

impl Deliver for MainStub {
    fn deliver(&self, kind: EventKind) {
        self.shard.outside(move |shard| {
            let event = Event { actor: None, entry: Entry::default(), kind };
            match shard.configured_worker(0) {
                Ok(worker) => worker.instance.deliver(event),
                Err(error) => event.fail(error),
            }
        });
    }

    fn capability(&self) -> Result<Capability, &'static str> {
        Ok(Capability::Service(0, Entry::default()))
    }
}

/// How a `fetch` event is sent.
pub struct FetchOptions {
    /// What becomes of an answer that points elsewhere.
    pub redirects: Redirects,
    /// Gives up the answer and its body.
    pub aborted: Option<Aborted>,
}

/// Sends a `fetch` event on behalf of a worker; its promise `slot` gets the answer. The request
/// leaves once what the worker's actors wrote so far is durable (DO-11).
pub fn send_fetch(
    instance: &Rc<Instance>,
    slot: u32,
    target: Rc<dyn Entrypoint>,
    request: Request,
    options: FetchOptions,
) {
    let FetchOptions { redirects, aborted } = options;
    let start = move || -> Reply<Response> {
        let reply = match redirects {
            Redirects::Follow => redirect::follow(target, request),
            Redirects::Manual => target.fetch(request),
        };
        match aborted {
            Some(aborted) => Box::pin(abortable(reply, aborted)),
            None => reply,
        }
    };
    send(instance, slot, start, |response| response.map(Payload::Response));
}

/// Sends an RPC event, as [`send_fetch`] does.
pub fn send_call(instance: &Rc<Instance>, slot: u32, target: Rc<dyn Entrypoint>, call: Call) {
    let sent = SentCall::new(instance, slot);
    let call = Call { pipeline: Some(sent.pipeline()), ..call };
    send(instance, slot, move || target.call(call), |result| sent.answered(result));
}

/// Starts what leaves the worker: at once, in the order of the calls, unless it has to wait.
fn send<T: 'static>(
    instance: &Rc<Instance>,
    slot: u32,
    start: impl FnOnce() -> Reply<T> + 'static,
    answered: impl FnOnce(Result<T, Error>) -> Result<Payload, Error> + 'static,
) {
    if let Err(error) = instance.meters.count_sub_request() {
        return instance.defer(slot, async move { Err(error) });
    }
    let durable = instance.writes_durable();
    let order = Rc::clone(&instance.leaving);
    if durable.is_none() && order.try_lock().is_ok() {
        let reply = start();
        return instance.defer(slot, async move { answered(reply.await) });
    }
    instance.defer(slot, async move {
        // What comes after a call that waits leaves after it, even if it reveals nothing (RPC-16).
        let turn = order.lock().await;
        if let Some(durable) = durable {
            durable.await?;
        }
        let reply = start();
        drop(turn);
        answered(reply.await)
    });
}
