//! Events inside a shard: what is delivered to an isolate and where its answer goes.

use std::rc::Rc;

use tokio::sync::oneshot;

use crate::actor::Actor;
use crate::alarm::Run;
use crate::cron::ScheduledRun;
use crate::entrypoint::{Call, Serialized};
use crate::error::Error;
use crate::input_gate::SectionId;
use crate::link::{Frame, LinkWriter};
use crate::message::{Request, Response};
use crate::meter::InvocationLimits;
use crate::socket::SocketEvent;

/// One event that an isolate has or will have.
pub struct Event {
    /// The actor it is for; `None` for a stateless entrypoint.
    pub actor: Option<Rc<Actor>>,
    /// The entrypoint it is for, of a stateless worker.
    pub entry: Entry,
    /// What happened.
    pub kind: EventKind,
}

/// An exported entrypoint of a worker, with the props its caller was given.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// The export's name; empty for the default export.
    pub name: String,
    /// `ctx.props`, as the supervisor passed them.
    pub props: Option<Serialized>,
    /// Limits of its events besides those of the worker.
    pub limits: InvocationLimits,
}

impl Entry {
    /// True for the default export without props.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.name.is_empty() && self.props.is_none()
    }
}

/// The kinds of event, each with the way back for its answer.
pub enum EventKind {
    /// `fetch(request)`.
    Fetch(Option<Request>, Answer<Response>),
    /// An RPC call.
    Call(Option<Call>, Answer<Serialized>),
    /// Something a WebSocket heard.
    Socket(SocketEvent),
    /// The construction of the actor's instance.
    Construct,
    /// `alarm(info)`.
    Alarm(Run, Answer<AlarmEnd>),
    /// `scheduled(controller)`.
    Scheduled(ScheduledRun, Answer<()>),
    /// `test(controller)`, or for the default entrypoint the question which exports have one.
    Test(Answer<Vec<String>>),
    /// A facet has an alarm and no class: the supervisor is asked for it. Answers whether it
    /// had one.
    WakeFacet(String, Answer<bool>),
}

/// How the run of an alarm ended, if it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmEnd {
    /// The handler returned.
    Done,
    /// There was nothing to run; the alarm, if there is one, is at this time.
    Moved(Option<u64>),
    /// It must not be tried again.
    GivenUp,
}

/// The way back to whoever waits.
pub type Answer<T> = oneshot::Sender<Result<T, Error>>;

/// An answer or a request that leaves an actor, ready to go once the output gate opens.
pub enum Outgoing {
    /// The answer to a `fetch` event.
    Response(Answer<Response>, Result<Response, Error>),
    /// The answer to an RPC event.
    Returned(Answer<Serialized>, Result<Serialized, Error>),
    /// The end of an alarm's run.
    Alarm(Answer<AlarmEnd>, Result<AlarmEnd, Error>),
    /// A frame of a WebSocket.
    Frame(LinkWriter, Frame),
    /// Something outside of the actor that waits for its turn.
    Signal(Answer<()>),
}

impl Outgoing {
    /// Lets it go. A receiver that went away has no use for it.
    pub fn send(self) {
        match self {
            Outgoing::Response(answer, result) => drop(answer.send(result)),
            Outgoing::Returned(answer, result) => drop(answer.send(result)),
            Outgoing::Alarm(answer, result) => drop(answer.send(result)),
            Outgoing::Frame(writer, frame) => writer.push(frame),
            Outgoing::Signal(answer) => drop(answer.send(Ok(()))),
        }
    }

    /// Tells the receiver why it will never be seen.
    pub fn fail(self, error: Error) {
        match self {
            Outgoing::Response(answer, _) => drop(answer.send(Err(error))),
            Outgoing::Returned(answer, _) => drop(answer.send(Err(error))),
            Outgoing::Alarm(answer, _) => drop(answer.send(Err(error))),
            Outgoing::Frame(writer, _) => writer.cut(),
            Outgoing::Signal(answer) => drop(answer.send(Err(error))),
        }
    }
}

impl Event {
    /// Tells whoever waits that the event failed.
    pub fn fail(self, error: Error) {
        self.kind.fail(error);
    }
}

impl EventKind {
    /// Tells whoever waits that the event failed.
    pub fn fail(self, error: Error) {
        match self {
            EventKind::Fetch(_, answer) => drop(answer.send(Err(error))),
            EventKind::Call(_, answer) => drop(answer.send(Err(error))),
            EventKind::Alarm(_, answer) => drop(answer.send(Err(error))),
            EventKind::WakeFacet(_, answer) => drop(answer.send(Err(error))),
            EventKind::Scheduled(_, answer) => drop(answer.send(Err(error))),
            EventKind::Test(answer) => drop(answer.send(Err(error))),
            EventKind::Socket(event) => event.fail(error),
            EventKind::Construct => {}
        }
    }
}

/// What a promise is settled with looks like to JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettledForm {
    /// The value itself.
    Plain = 0,
    /// A value with capabilities, which JavaScript must unpack.
    Packed = 1,
    /// What another worker threw, alone in an array, to be unpacked.
    Thrown = 2,
}

/// A call of the isolate's dispatch function. The numbers are the protocol with the
/// JavaScript that drives an isolate from within.
#[derive(Debug, Clone, Copy)]
pub enum Delivery {
    /// `(event, actor)`; actor 0 is the default entrypoint, `u32::MAX` one with name or props.
    Fetch(u32, u32),
    /// `(event, actor)`.
    Call(u32, u32),
    /// `(event, actor)`.
    Construct(u32, u32),
    /// A promise that waits under this number can be settled.
    Settle(u32, SettledForm),
    /// A timer is due.
    Timer(u32),
    /// `(event, actor)`: a WebSocket heard something.
    Socket(u32, u32),
    /// This actor is gone; its instance may be collected.
    Forget(u32),
    /// `(event, actor)`: an RPC call of something else than an entrypoint's own member.
    Invoke(u32, u32),
    /// Nobody holds the object of this number any longer.
    Returned(u32),
    /// `(event, actor)`.
    Alarm(u32, u32),
    /// `(event, actor)`.
    WakeFacet(u32, u32),
    /// `(event, actor)`.
    Scheduled(u32, u32),
    /// `(event, actor)`; event 0 asks for what only tests have.
    Test(u32, u32),
    /// Which actors do timers, promises and the like hold?
    Survey,
    /// `(section, actor)`: a critical section begins.
    Enter(u32, u32),
    /// `(section, actor)`: a critical section is over.
    Leave(u32, u32),
}

/// What JavaScript runs on behalf of: what it starts belongs to the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Context {
    /// The number of the actor in its isolate; 0 for none.
    pub actor: u32,
    /// The critical section it is in.
    pub section: SectionId,
}

impl Context {
    /// Outside of any actor.
    pub const NONE: Context = Context { actor: 0, section: SectionId::ROOT };
}

impl Delivery {
    /// The event that begins with it.
    #[must_use]
    pub fn event(self) -> Option<u32> {
        match self {
            Delivery::Fetch(event, _)
            | Delivery::Call(event, _)
            | Delivery::Invoke(event, _)
            | Delivery::Construct(event, _)
            | Delivery::Alarm(event, _)
            | Delivery::WakeFacet(event, _)
            | Delivery::Scheduled(event, _)
            | Delivery::Test(event, _)
            | Delivery::Socket(event, _) => Some(event),
            Delivery::Settle(..)
            | Delivery::Timer(_)
            | Delivery::Forget(_)
            | Delivery::Returned(_)
            | Delivery::Survey
            | Delivery::Enter(..)
            | Delivery::Leave(..) => None,
        }
    }

    /// The three numbers handed to the dispatch function.
    #[must_use]
    pub fn numbers(self) -> (u32, u32, u32) {
        match self {
            Delivery::Fetch(event, actor) => (0, event, actor),
            Delivery::Call(event, actor) => (1, event, actor),
            Delivery::Construct(event, actor) => (2, event, actor),
            Delivery::Settle(slot, form) => (3, slot, form as u32),
            Delivery::Timer(timer) => (4, timer, 0),
            Delivery::Forget(actor) => (5, actor, 0),
            Delivery::Invoke(event, actor) => (6, event, actor),
            Delivery::Returned(number) => (7, number, 0),
            Delivery::Enter(section, actor) => (14, section, actor),
            Delivery::Leave(section, actor) => (15, section, actor),
            Delivery::Alarm(event, actor) => (10, event, actor),
            Delivery::WakeFacet(event, actor) => (11, event, actor),
            Delivery::Survey => (12, 0, 0),
            Delivery::Scheduled(event, actor) => (13, event, actor),
            Delivery::Test(event, actor) => (16, event, actor),
            Delivery::Socket(event, actor) => (8, event, actor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The other side of the protocol.
    const DISPATCH: &str = include_str!("../../../js/dispatch.js");

    #[test]
    fn javascript_knows_every_delivery_by_its_number() {
        let all = [
            ("FETCH", Delivery::Fetch(1, 2)),
            ("CALL", Delivery::Call(1, 2)),
            ("CONSTRUCT", Delivery::Construct(1, 2)),
            ("SETTLE", Delivery::Settle(1, SettledForm::Plain)),
            ("TIMER", Delivery::Timer(1)),
            ("FORGET", Delivery::Forget(1)),
            ("INVOKE", Delivery::Invoke(1, 2)),
            ("RETURNED", Delivery::Returned(1)),
            ("SOCKET", Delivery::Socket(1, 2)),
            ("ALARM", Delivery::Alarm(1, 2)),
            ("WAKE_FACET", Delivery::WakeFacet(1, 2)),
            ("SURVEY", Delivery::Survey),
            ("SCHEDULED", Delivery::Scheduled(1, 2)),
            ("ENTER", Delivery::Enter(1, 2)),
            ("LEAVE", Delivery::Leave(1, 2)),
            ("TEST", Delivery::Test(1, 2)),
        ];
        for (name, delivery) in all {
            let line = format!("const {name} = {};\n", delivery.numbers().0);
            let is_case = DISPATCH.contains(&format!("case {name}:"));
            assert!(DISPATCH.contains(&line) && is_case, "{line}");
        }
        let (_, table) = DISPATCH.split_once("// What happened").unwrap();
        let (table, _) = table.split_once("\n\n").unwrap();
        assert_eq!(table.matches("const ").count(), all.len(), "a number without a delivery");
    }
}
