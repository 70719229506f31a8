//! Capabilities: what travels beside the bytes of a message because bytes cannot carry it
//! (`spec/workers.md` §1.6, §6.3).
//!
//! A capability can cross shards, be kept, and be sent again; where it arrives it becomes a
//! handle of that shard. Having one is the permission to use it: none can be made of bytes.

use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use isolate::MovedBuffer;

use crate::actor_id::ActorId;
use crate::body::{Body, BodyError};
use crate::entrypoint::{Entrypoint, Serialized};
use crate::event::Entry;
use crate::facet::ActorClass;
use crate::live::{LiveStub, Loan};
use crate::loader::WorkerSource;
use crate::meter::InvocationLimits;
use crate::shard::Shard;
use crate::stub::{ActorStub, WorkerStub};

/// Something a message refers to.
#[derive(Debug, Clone)]
pub enum Capability {
    /// An entrypoint of the configured worker at a place, which every shard runs.
    Service(usize, Entry),
    /// A Durable Object.
    Actor {
        /// The unique key of its namespace.
        key: Arc<str>,
        /// Its id.
        id: ActorId,
    },
    /// A class of a configured worker that facets can be made of.
    Class {
        /// The worker's place.
        worker: usize,
        /// The export's name.
        name: Arc<str>,
        /// `ctx.props` of the actors made of it.
        props: Option<Serialized>,
    },
    /// A function or an object of a running isolate.
    Live(Arc<Loan>),
    /// A stream of bytes, for its first taker.
    Body(Arc<Mutex<Option<Body>>>),
    /// The memory of an `ArrayBuffer`, for its first taker.
    Buffer(Arc<Mutex<Option<MovedBuffer>>>),
    /// An object that was taken apart: what it was, by a number of the isolates' own, and its
    /// parts.
    Value(u32, Box<Serialized>),
}

/// A capability that arrived on a shard.
pub enum Arrived {
    /// Something that takes events.
    Entrypoint(Rc<dyn Entrypoint>),
    /// A class.
    Class(ActorClass),
    /// A live object.
    Live(LiveStub),
    /// A stream.
    Body(Body),
    /// A buffer, unless it was taken before.
    Buffer(Option<MovedBuffer>),
    /// The parts of an object, and what it was.
    Value(u32, Serialized),
}

impl Capability {
    /// A stream of bytes. If its source fails, the receiver learns that it ended too early, in
    /// the platform's words (RPC-13).
    #[must_use]
    pub fn of_body(body: Body) -> Capability {
        let body = body.fail_with(BodyError::Failed(ENDED_EARLY.into()));
        Capability::Body(Arc::new(Mutex::new(Some(body))))
    }

    /// The memory of an `ArrayBuffer`.
    #[must_use]
    pub fn of_buffer(buffer: MovedBuffer) -> Capability {
        Capability::Buffer(Arc::new(Mutex::new(Some(buffer))))
    }

    /// Makes it usable on a shard.
    #[must_use]
    pub fn arrive(&self, shard: &Rc<Shard>) -> Arrived {
        match self {
            Capability::Service(worker, entry) => {
                let source = WorkerSource::Configured(Rc::clone(shard), *worker);
                Arrived::Entrypoint(Rc::new(WorkerStub::new(source, entry.clone())))
            }
            Capability::Actor { key, id } => {
                let stub = ActorStub::new(Rc::clone(shard), (**key).into(), id.clone());
                Arrived::Entrypoint(Rc::new(stub))
            }
            Capability::Class { worker, name, props } => Arrived::Class(ActorClass {
                source: WorkerSource::Configured(Rc::clone(shard), *worker),
                name: name.to_string(),
                props: props.clone(),
                // Only classes of dynamic workers have limits, and those are not sent.
                limits: InvocationLimits::default(),
            }),
            Capability::Live(loan) => {
                Arrived::Live(LiveStub::new(Rc::clone(shard), Arc::clone(loan)))
            }
            Capability::Body(body) => {
                let body = body.lock().unwrap_or_else(PoisonError::into_inner).take();
                Arrived::Body(body.unwrap_or_default())
            }
            Capability::Buffer(buffer) => {
                Arrived::Buffer(buffer.lock().unwrap_or_else(PoisonError::into_inner).take())
            }
            Capability::Value(kind, parts) => Arrived::Value(*kind, (**parts).clone()),
        }
    }
}

impl ActorClass {
    /// What refers to this class in a message.
    ///
    /// # Errors
    /// Why it cannot be sent, in the platform's words: it belongs to a dynamic worker.
    pub fn capability(&self) -> Result<Capability, &'static str> {
        match self.source {
            WorkerSource::Configured(_, worker) => {
                let (name, props) = ((*self.name).into(), self.props.clone());
                Ok(Capability::Class { worker, name, props })
            }
            WorkerSource::Own(_) | WorkerSource::Loaded(_) => Err(OF_DYNAMIC_WORKER),
        }
    }
}

const ENDED_EARLY: &str = "ReadableStream received over RPC disconnected prematurely.";

/// Why entrypoints and classes of dynamic workers stay where they are (WL-29).
pub(crate) const OF_DYNAMIC_WORKER: &str = "Entrypoints to dynamically-loaded workers cannot be \
    transferred to other Workers, because the system does not know how to reload this Worker \
    from scratch. Instead, have the parent Worker expose an entrypoint which constructs the \
    dynamic worker and forwards to it.";

/// Why stubs of facets stay where they are (FA-19).
pub(crate) const OF_FACET: &str = "Stubs pointing to Durable Object facets are not serializable.";
