//! References to live objects: functions and `RpcTarget`s that an isolate lent to others
//! (`spec/workers.md` §6.1, §6.5).
//!
//! The isolate keeps what it lent in a table of its own, by number. A [`Loan`] is one entry of
//! that table; when its last holder drops it, wherever that is, the isolate hears of it and runs
//! the object's disposer. Calls hold the loan until they are delivered, so that a disposal never
//! overtakes them.

use std::rc::Rc;
use std::sync::Arc;

use crate::capability::Capability;
use crate::entrypoint::{Call, Entrypoint, Reply, Serialized};
use crate::error::Error;
use crate::event::{Context, Delivery, Entry, Event, EventKind};
use crate::instance::Instance;
use crate::message::{Request, Response};
use crate::shard::Shard;
use crate::stub::reply;
use crate::wake::{Letter, WakeQueue};

/// One object that an isolate lent. Cloning the `Arc` around it is what `dup()` does (RPC-21).
#[derive(Debug)]
pub struct Loan {
    shard: usize,
    worker: u64,
    /// The actor in whose name the object acts; 0 for none.
    token: u64,
    number: u32,
    home: Arc<WakeQueue>,
}

/// A handle to an object that was lent, on any shard.
pub struct LiveStub {
    shard: Rc<Shard>,
    loan: Arc<Loan>,
}

impl Loan {
    pub(crate) fn new(shard: &Shard, worker: u64, token: u64, number: u32) -> Loan {
        let home = Arc::clone(shard.wake_queue());
        Loan { shard: shard.index(), worker, token, number, home }
    }

    /// The number under which its isolate knows the object.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.home.post(Letter::Returned(self.worker, self.number));
    }
}

impl LiveStub {
    /// A handle on `shard`, which need not be the object's.
    #[must_use]
    pub fn new(shard: Rc<Shard>, loan: Arc<Loan>) -> LiveStub {
        LiveStub { shard, loan }
    }
}

impl Entrypoint for LiveStub {
    fn fetch(&self, _request: Request) -> Reply<Response> {
        Box::pin(async { Err(Error::bug("fetch of an object that was lent")) })
    }

    fn call(&self, mut call: Call) -> Reply<Serialized> {
        let (answer, reply) = reply();
        let owner = self.loan.shard;
        call.target = Some(Arc::clone(&self.loan));
        let deliver = move |shard: &Rc<Shard>| {
            let kind = EventKind::Call(Some(call), answer);
            shard.outside(move |shard| shard.deliver_to_loan(kind));
        };
        if owner == self.shard.index() {
            deliver(&self.shard);
        } else {
            self.shard.dispatch(owner, deliver);
        }
        reply
    }

    fn capability(&self) -> Result<Capability, &'static str> {
        Ok(Capability::Live(Arc::clone(&self.loan)))
    }
}

impl Instance {
    /// Lends an object to others under a number that the isolate chose, in the name of actor
    /// `actor` or, for 0, of none.
    #[must_use]
    pub fn lend(&self, number: u32, actor: u32) -> Loan {
        self.lent.set(self.lent.get() + 1);
        // Nothing can be lent while the worker starts; 0 is the id of none.
        let worker = self.worker().map_or(0, |worker| worker.id());
        let token = self.actor(actor).map_or(0, |actor| actor.token());
        Loan::new(self.shard(), worker, token, number)
    }

    /// Nobody holds an object any longer.
    pub(crate) fn returned(&self, number: u32) {
        self.lent.set(self.lent.get().saturating_sub(1));
        self.queue(Delivery::Returned(number), Context::NONE);
    }
}

impl Shard {
    /// Delivers a call to the object it is for, in the name of the actor that lent it.
    pub(crate) fn deliver_to_loan(self: &Rc<Self>, kind: EventKind) {
        let event = Event { actor: None, entry: Entry::default(), kind };
        let EventKind::Call(Some(Call { target: Some(loan), .. }), _) = &event.kind else {
            return event.fail(Error::bug("a call of nothing that was lent"));
        };
        let (worker, token) = (self.worker(loan.worker), loan.token);
        let Some(worker) = worker.filter(|worker| worker.is_alive()) else {
            return event.fail(Error::reset(GONE));
        };
        if token == 0 {
            return worker.instance.deliver(event);
        }
        match self.actor_of_token(token) {
            Some(actor) => actor.deliver(event.kind),
            None => event.fail(Error::reset(GONE)),
        }
    }
}

/// The platform's words for a callback whose host is gone (RPC-26).
const GONE: &str = "The execution context which hosts this callback is no longer running.";
