//! WebSockets that outlive the instance of their actor (`spec/workers.md` DO-17 to DO-25).
//!
//! A set belongs to an actor's place, not to its instance: the shard keeps it while the actor
//! hibernates, and a message wakes the actor. It ends, and its peers are disconnected, when
//! the actor is aborted, deleted or broken.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::actor::{Actor, Name};
use crate::actor_id::ActorId;
use crate::error::Error;
use crate::event::EventKind;
use crate::limits::{
    SOCKET_AUTO_RESPONSE_BYTES_MAX, SOCKET_EVENT_TIMEOUT_MS_MAX, SOCKET_RETRY,
    SOCKET_TAG_BYTES_MAX, SOCKET_TAGS_MAX, SOCKETS_PER_ACTOR_MAX,
};
use crate::link::{Frame, LinkReader};
use crate::shard::Shard;
use crate::socket::{Heard, Socket, SocketError, SocketEvent};

/// The hibernatable WebSockets of one actor.
pub struct SocketSet {
    shard: Rc<Shard>,
    /// The tree of the actor, and the number of its place in it.
    class: Arc<str>,
    id: ActorId,
    number: u16,
    /// The instance the actor has at the moment, if any.
    actor: RefCell<Weak<Actor>>,
    members: RefCell<BTreeMap<u64, Member>>,
    auto_response: RefCell<Option<AutoResponse>>,
    timeout_ms: Cell<Option<u32>>,
}

/// A text that is answered without waking the actor (DO-22).
#[derive(Debug, Clone)]
pub struct AutoResponse {
    /// The text to wait for.
    pub request: Bytes,
    /// The answer.
    pub response: Bytes,
}

struct Member {
    socket: Rc<Socket>,
    task: AbortHandle,
}

impl SocketSet {
    /// The set of an actor's place that has none yet.
    pub(crate) fn new(actor: &Rc<Actor>) -> Rc<SocketSet> {
        let position = &actor.identity.position;
        // The root's own id may have a name that the tree's has not.
        let id = match &actor.identity.id {
            Name::Id(id) if position.number == 0 => id.clone(),
            _ => position.root.id.clone(),
        };
        Rc::new(SocketSet {
            shard: Rc::clone(actor.shard()),
            class: Arc::clone(&position.root.class),
            id,
            number: position.number,
            actor: RefCell::new(Rc::downgrade(actor)),
            members: RefCell::default(),
            auto_response: RefCell::default(),
            timeout_ms: Cell::new(None),
        })
    }

    /// The actor's instance, if it has one.
    pub(crate) fn actor(&self) -> Option<Rc<Actor>> {
        self.actor.borrow().upgrade()
    }

    /// Notes the actor's new instance.
    pub(crate) fn attach(&self, actor: &Rc<Actor>) {
        *self.actor.borrow_mut() = Rc::downgrade(actor);
    }

    /// Takes a socket over and reads it from now on (DO-17).
    ///
    /// # Errors
    /// With the platform's wording for sockets that are in use, and for too many or too long
    /// tags.
    pub fn accept(
        self: &Rc<Self>,
        socket: &Rc<Socket>,
        tags: &[String],
    ) -> Result<(), SocketError> {
        let distinct = distinct_tags(tags)?;
        if self.members.borrow().len() >= SOCKETS_PER_ACTOR_MAX {
            return Err(SocketError::Rule(format!(
                "only {SOCKETS_PER_ACTOR_MAX} websockets can be accepted on a single Durable \
                 Object instance"
            )));
        }
        let Some(reader) = socket.hibernate(self)? else { return Ok(()) };
        // A fresh socket has none yet.
        let _ = socket.tags.set(distinct);
        let task = self.shard.spawn(read(Rc::downgrade(self), Rc::clone(socket), reader));
        let member = Member { socket: Rc::clone(socket), task };
        self.members.borrow_mut().insert(socket.id(), member);
        Ok(())
    }

    /// The sockets with this tag, or all, newest first (DO-18).
    pub fn sockets(&self, tag: Option<&str>) -> Vec<Rc<Socket>> {
        let members = self.members.borrow();
        let sockets = members.values().rev().map(|member| &member.socket);
        let has_tag = |socket: &&Rc<Socket>| {
            tag.is_none_or(|tag| socket.tags().is_ok_and(|tags| tags.iter().any(|t| **t == *tag)))
        };
        sockets.filter(has_tag).cloned().collect()
    }

    /// The socket of this number.
    #[must_use]
    pub fn find(&self, id: u64) -> Option<Rc<Socket>> {
        self.members.borrow().get(&id).map(|member| Rc::clone(&member.socket))
    }

    /// True if no socket is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.borrow().is_empty()
    }

    /// Sets or removes the text that is answered automatically.
    ///
    /// # Errors
    /// [`SocketError::Rule`] when one of the texts is too long, the platform's `RangeError`.
    pub fn set_auto_response(&self, pair: Option<AutoResponse>) -> Result<(), SocketError> {
        if let Some(pair) = &pair {
            for (what, text) in [("Request", &pair.request), ("Response", &pair.response)] {
                if text.len() > SOCKET_AUTO_RESPONSE_BYTES_MAX {
                    return Err(SocketError::Rule(format!(
                        "{what} cannot be larger than {SOCKET_AUTO_RESPONSE_BYTES_MAX} bytes. A \
                         {} of size {} was provided.",
                        what.to_lowercase(),
                        text.len()
                    )));
                }
            }
        }
        *self.auto_response.borrow_mut() = pair;
        Ok(())
    }

    /// The text that is answered automatically.
    #[must_use]
    pub fn auto_response(&self) -> Option<AutoResponse> {
        self.auto_response.borrow().clone()
    }

    /// Limits how long a handler may take, in milliseconds; 0 lifts the limit (DO-23).
    ///
    /// # Errors
    /// [`SocketError::Rule`] for more than a week.
    pub fn set_timeout_ms(&self, timeout_ms: u32) -> Result<(), SocketError> {
        if timeout_ms > SOCKET_EVENT_TIMEOUT_MS_MAX {
            return Err(SocketError::Rule(format!(
                "Event timeout should not exceed {SOCKET_EVENT_TIMEOUT_MS_MAX} ms."
            )));
        }
        self.timeout_ms.set(Some(timeout_ms).filter(|ms| *ms > 0));
        Ok(())
    }

    /// How long a handler may take, in milliseconds.
    #[must_use]
    pub fn timeout_ms(&self) -> Option<u32> {
        self.timeout_ms.get()
    }

    /// The handler of the last event of a socket is done: what it left open is closed, and the
    /// socket leaves the set (DO-20, DO-21).
    pub(crate) fn finish(&self, socket: &Socket, heard: &Heard) {
        if let Heard::Frame(Frame::Close(close)) = heard {
            socket.close_in_return(close.clone());
        }
        self.remove(socket.id());
    }

    fn remove(&self, id: u64) {
        let member = self.members.borrow_mut().remove(&id);
        // Its reader has ended, or is ending because of this.
        drop(member);
    }

    /// Disconnects all peers; the set takes no more sockets.
    pub(crate) fn end(&self) {
        for member in self.members.take().into_values() {
            member.task.abort();
            member.socket.disconnect();
        }
    }

    /// Delivers to the actor, which gets an instance if it has none.
    fn deliver(&self, kind: EventKind) {
        let (class, id, number) = (Arc::clone(&self.class), self.id.clone(), self.number);
        self.shard.outside(move |shard| {
            if number == 0 {
                return shard.deliver_to_actor(&class, &id, kind);
            }
            let root = shard.known_root_slot(&class, &id);
            match root.and_then(|root| root.position.slot(number)) {
                Some(slot) => slot.deliver(kind),
                None => kind.fail(Error::reset("The facet is gone.")),
            }
        });
    }

    /// Resets the actor if the handler of an event takes too long.
    fn watch(self: &Rc<Self>, limit_ms: u32) -> oneshot::Sender<()> {
        let (handled, waiter) = oneshot::channel::<()>();
        let set = Rc::downgrade(self);
        self.shard.spawn(async move {
            let limit = Duration::from_millis(limit_ms.into());
            if tokio::time::timeout(limit, waiter).await.is_err()
                && let Some(actor) = set.upgrade().and_then(|set| set.actor())
            {
                actor.break_with(&Error::reset(
                    "Actor exceeded event execution time and was disconnected.",
                ));
            }
        });
        handled
    }

    /// Answers a text that is answered automatically.
    fn answered(&self, socket: &Socket, heard: &Heard) -> bool {
        let auto_response = self.auto_response.borrow();
        let (Some(pair), Heard::Frame(Frame::Text(text))) = (&*auto_response, heard) else {
            return false;
        };
        if pair.request != *text {
            return false;
        }
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        socket.answered_ms.set(Some(u64::try_from(now.as_millis()).unwrap_or(0)));
        // A peer that does not read its answers is dropped by this.
        let _ = socket.answer(Frame::Text(pair.response.clone()));
        true
    }
}

/// Tags without repetitions; any tag after the tenth is one too many, as on the platform.
fn distinct_tags(tags: &[String]) -> Result<Box<[Box<str>]>, SocketError> {
    let mut distinct: Vec<Box<str>> = Vec::new();
    for tag in tags {
        if distinct.len() == SOCKET_TAGS_MAX {
            return Err(SocketError::Rule(format!(
                "a Hibernatable WebSocket cannot have more than {SOCKET_TAGS_MAX} tags"
            )));
        }
        if tag.len() > SOCKET_TAG_BYTES_MAX {
            return Err(SocketError::Rule(format!(
                "\"{tag}\" is longer than the max tag length ({SOCKET_TAG_BYTES_MAX} characters)."
            )));
        }
        if !distinct.iter().any(|known| **known == **tag) {
            distinct.push(tag.as_str().into());
        }
    }
    Ok(distinct.into())
}

/// Reads a socket until it has heard the last, waking its actor for everything it hears.
async fn read(set: Weak<SocketSet>, socket: Rc<Socket>, mut reader: LinkReader) {
    loop {
        let heard = Heard::from(reader.next().await);
        let Some(now) = set.upgrade() else { return };
        if now.answered(&socket, &heard) {
            continue;
        }
        let timeout_ms = now.timeout_ms.get();
        drop(now);
        let taken = hand_over(&socket, &heard, |mut event| {
            let Some(set) = set.upgrade() else { return };
            event.handled = timeout_ms.map(|limit_ms| set.watch(limit_ms));
            set.deliver(EventKind::Socket(event));
        });
        if let Err(error) = taken.await {
            tracing::warn!(%error, "an event of a WebSocket was lost");
            if let (true, Some(set)) = (heard.is_last(), set.upgrade()) {
                set.remove(socket.id());
            }
        }
        if heard.is_last() {
            return;
        }
    }
}

/// Delivers what a socket heard and waits until the worker takes it; while too much waits for
/// the worker, so does the socket.
pub(crate) async fn hand_over(
    socket: &Rc<Socket>,
    heard: &Heard,
    mut deliver: impl FnMut(SocketEvent),
) -> Result<(), Error> {
    loop {
        let (taken, waiter) = oneshot::channel();
        let (socket, heard) = (Rc::clone(socket), heard.clone());
        deliver(SocketEvent { socket, heard, taken: Some(taken), handled: None });
        match waiter.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(Error::OverloadQueue { .. })) => tokio::time::sleep(SOCKET_RETRY).await,
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(Error::reset("The worker was stopped.")),
        }
    }
}
