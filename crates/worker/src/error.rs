//! What can go wrong between an event and its answer, named by who must act.
//!
//! Every variant has one stable [`Error::code`], documented in `docs/errors.md`; the mapping to
//! JavaScript lives in `ops`, the one to HTTP in `network`, the one to REST in `control`.

use std::fmt;
use std::sync::Arc;

use crate::entrypoint::Serialized;
use isolate::Condemned;
pub use isolate::{Breach, SourcePosition, StartError, StartStage};

/// The failure of an event. Cheap to clone: many waiting events can fail with one cause.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// User code threw; the caller gets what it threw.
    #[error("{0}")]
    AppThrew(Arc<Thrown>),
    /// The modules of a worker break a rule that is checked before they are compiled.
    #[error("{0}")]
    AppCode(Arc<Thrown>),
    /// The worker did not start: it does not compile, link or evaluate.
    #[error("{0}")]
    AppStart(Arc<StartError>),
    /// The worker started but has nothing that could take this event.
    #[error("{0}")]
    AppNoHandler(Arc<str>),
    /// A turn of JavaScript ran longer than its CPU limit; the isolate is gone.
    #[error("Worker exceeded its CPU time limit of {} ms.", .0.limit)]
    AppCpu(Arc<Breach>),
    /// The isolate reached its heap limit and is gone.
    #[error("Worker has exceeded memory limit.")]
    AppMemory(Arc<Breach>),
    /// An event made more requests and calls than it may.
    #[error("Too many subrequests by single Worker invocation (limit {}).", .0.limit)]
    AppSubRequests(Arc<Breach>),
    /// An event took longer to its answer than it may.
    #[error("Worker exceeded its wall time limit of {} ms.", .0.limit)]
    AppWall(Arc<Breach>),
    /// Too many events wait for the same actor or worker; try again later.
    #[error("Durable Object is overloaded. Too many requests queued.")]
    OverloadQueue {
        /// The limit.
        queued_max: usize,
    },
    /// As many workers are loaded as the process may hold; try again later.
    #[error("too many workers are loaded at a time (limit {isolates_max}); try again later")]
    OverloadIsolates {
        /// The limit.
        isolates_max: usize,
    },
    /// As many objects and facets are in memory as there may be open files for; try again later.
    #[error("too many objects are in memory at a time (limit {actors_max}); try again later")]
    OverloadActors {
        /// The limit of the shard.
        actors_max: usize,
    },
    /// The actor was reset: aborted, deleted, evicted, or its isolate is gone.
    #[error("{0}")]
    BrokenReset(Arc<Thrown>),
    /// The actor's storage failed; nothing that was not durable has been acknowledged.
    #[error("{0}")]
    BrokenStorage(Arc<str>),
    /// The actor's database or the disk is full; nothing that was not durable was acknowledged.
    #[error("{0}")]
    BrokenFull(Arc<str>),
    /// The app's code ended the process some time ago; it is refused for a while.
    #[error(
        "this app ended the process it ran in and is refused for {retry_after_s} more seconds; \
         deploy a version that does not"
    )]
    OverloadQuarantine {
        /// When to try again, in seconds from now.
        retry_after_s: u64,
    },
    /// The process is shutting down and takes no new events.
    #[error("the server is shutting down; try again")]
    OverloadShutdown,
    /// A defect of ours; the text says where.
    #[error("internal error; reference = {0}")]
    Bug(Arc<str>),
}

/// A JavaScript exception, as it crosses isolates (`spec/workers.md` DO-38).
#[derive(Debug, Clone, Default)]
pub struct Thrown {
    /// `Error`, `TypeError`, a `DOMException` name …
    pub name: String,
    /// The message without the name.
    pub message: String,
    /// The stack as the throwing isolate rendered it; for logs, not for other tenants.
    pub stack: Option<String>,
    /// The stable code of the error behind it, where a worker only passed it on.
    pub code: Option<&'static str>,
    /// What was passed, where it is the error of a limit.
    pub breach: Option<Arc<Breach>>,
    /// What was thrown itself, alone in an array, where it has a clone.
    pub value: Option<Serialized>,
    /// It reset the object it came from, whatever its code says.
    pub resets_actor: bool,
}

impl Error {
    /// An error of [`Error::AppCode`].
    pub fn app_code(name: &str, message: impl Into<String>) -> Error {
        Error::AppCode(Thrown::new(name, message).into())
    }

    /// An error of [`Error::BrokenReset`] with the JavaScript class `Error`.
    pub fn reset(message: impl Into<String>) -> Error {
        Error::BrokenReset(Thrown::new("Error", message).into())
    }

    /// As [`reset`](Self::reset), of an actor that took longer than it may (DO-9, AL-8).
    pub fn overloaded_reset(message: impl Into<String>) -> Error {
        let thrown = Thrown::new("Error", message).caused_by("overloaded");
        Error::BrokenReset(Thrown { resets_actor: true, ..thrown }.into())
    }

    /// An internal error; `place` is what a maintainer searches for.
    pub fn bug(place: impl Into<String>) -> Error {
        Error::Bug(Arc::from(place.into()))
    }

    /// The same error as what the actor ends with that could not be constructed (DO-38).
    #[must_use]
    pub fn of_construction(self) -> Error {
        match self {
            Error::AppThrew(thrown) => {
                let thrown = Thrown { value: None, resets_actor: true, ..(*thrown).clone() };
                Error::AppThrew(thrown.into())
            }
            other => other,
        }
    }

    /// True if the actor that an event failed in was reset by it.
    #[must_use]
    pub fn resets_actor(&self) -> bool {
        match self {
            Error::BrokenReset(_)
            | Error::BrokenStorage(_)
            | Error::BrokenFull(_)
            | Error::AppCpu(_)
            | Error::AppMemory(_) => true,
            Error::AppThrew(_)
            | Error::AppCode(_)
            | Error::AppStart(_)
            | Error::AppNoHandler(_)
            | Error::AppSubRequests(_)
            | Error::AppWall(_)
            | Error::OverloadQueue { .. }
            | Error::OverloadIsolates { .. }
            | Error::OverloadActors { .. }
            | Error::OverloadQuarantine { .. }
            | Error::OverloadShutdown
            | Error::Bug(_) => false,
        }
    }

    /// The limit that was passed, if one was.
    #[must_use]
    pub fn breach(&self) -> Option<Arc<Breach>> {
        // What was refused would have been one too many.
        let refused = |limit: usize| {
            let limit = u64::try_from(limit).unwrap_or(u64::MAX);
            Some(Arc::new(Breach { limit, used: limit.saturating_add(1), place: None }))
        };
        match self {
            Error::AppCpu(breach)
            | Error::AppMemory(breach)
            | Error::AppWall(breach)
            | Error::AppSubRequests(breach) => Some(Arc::clone(breach)),
            Error::OverloadIsolates { isolates_max } => refused(*isolates_max),
            Error::OverloadActors { actors_max } => refused(*actors_max),
            Error::OverloadQueue { queued_max } => refused(*queued_max),
            Error::AppThrew(thrown) => thrown.code.and(thrown.breach.clone()),
            Error::AppCode(_)
            | Error::AppStart(_)
            | Error::AppNoHandler(_)
            | Error::OverloadQuarantine { .. }
            | Error::OverloadShutdown
            | Error::BrokenReset(_)
            | Error::BrokenStorage(_)
            | Error::BrokenFull(_)
            | Error::Bug(_) => None,
        }
    }

    /// The stable code of this error, as in `docs/errors.md`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Error::AppThrew(thrown) => thrown.code.unwrap_or("exception"),
            Error::AppCode(_) => "code",
            Error::AppStart(start) => match start.stage {
                StartStage::Syntax => "syntax",
                StartStage::Link => "link",
                StartStage::Startup => "startup",
            },
            Error::AppNoHandler(_) => "no_handler",
            Error::AppCpu(_) => "cpu_limit",
            Error::AppMemory(_) => "memory_limit",
            Error::AppSubRequests(_) => "subrequest_limit",
            Error::AppWall(_) => "wall_limit",
            Error::OverloadQueue { .. }
            | Error::OverloadIsolates { .. }
            | Error::OverloadActors { .. } => "overloaded",
            Error::OverloadQuarantine { .. } => "quarantined",
            Error::OverloadShutdown => "shutting_down",
            Error::BrokenReset(thrown) => thrown.code.unwrap_or("reset"),
            Error::BrokenStorage(_) => "storage",
            Error::BrokenFull(_) => "storage_full",
            Error::Bug(_) => "internal",
        }
    }
}

impl Thrown {
    /// An exception without a stack.
    pub fn new(name: impl Into<String>, message: impl Into<String>) -> Thrown {
        Thrown { name: name.into(), message: message.into(), ..Thrown::default() }
    }

    /// The same exception, thrown because of an error with this code; codes that are none of
    /// ours are ignored.
    #[must_use]
    pub fn caused_by(self, code: &str) -> Thrown {
        Thrown { code: CODES.iter().copied().find(|known| *known == code), ..self }
    }
}

impl fmt::Display for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.message)
    }
}

impl From<isolate::Error> for Error {
    fn from(error: isolate::Error) -> Error {
        match error {
            isolate::Error::AppStart(start) => Error::AppStart(Arc::from(start)),
            isolate::Error::BrokenCondemned(cause) => cause.into(),
            isolate::Error::OverloadIsolates { isolates_max } => {
                Error::OverloadIsolates { isolates_max }
            }
            isolate::Error::Bug(text) => Error::bug(text),
        }
    }
}

impl From<storage::Error> for Error {
    /// Paths of the host go to the log only.
    fn from(error: storage::Error) -> Error {
        tracing::error!(%error, "storage failed");
        match error {
            storage::Error::BrokenFull { message } => Error::BrokenFull(message),
            error => Error::BrokenStorage(error.message().into()),
        }
    }
}

impl From<Condemned> for Error {
    fn from(cause: Condemned) -> Error {
        match cause {
            Condemned::Cpu(breach) => Error::AppCpu(breach.into()),
            Condemned::Memory(breach) => Error::AppMemory(breach.into()),
            Condemned::Terminated => Error::reset("The isolate was terminated."),
        }
    }
}

/// The codes that survive when user code passes an error on.
const CODES: &[&str] = &[
    "code",
    "cpu_limit",
    "internal",
    "link",
    "memory_limit",
    "no_handler",
    "overloaded",
    "quarantined",
    "reset",
    "shutting_down",
    "startup",
    "storage",
    "storage_full",
    "subrequest_limit",
    "syntax",
    "wall_limit",
];
