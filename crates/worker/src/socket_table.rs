//! The WebSockets that listeners of one isolate hear (`accept()`), and the socket events that
//! run in it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};

use bytes::Bytes;
use tokio::task::AbortHandle;

use crate::actor::Actor;
use crate::error::Error;
use crate::event::{Entry, Event, EventKind};
use crate::instance::Instance;
use crate::link::{Frame, LinkReader, SocketEnd};
use crate::shard::Shard;
use crate::socket::{Heard, Owner, Socket, SocketError, SocketEvent};
use crate::socket_set::hand_over;

/// Accepted sockets by their number.
#[derive(Default)]
pub(crate) struct SocketTable {
    open: RefCell<HashMap<u64, Open>>,
}

struct Open {
    socket: Rc<Socket>,
    task: AbortHandle,
    /// The number of the actor that accepted it, 0 for a stateless worker.
    actor: u32,
}

impl SocketTable {
    /// True if no accepted socket is open.
    pub fn is_empty(&self) -> bool {
        self.open.borrow().is_empty()
    }

    /// True if a socket that this actor accepted is open.
    pub fn has_of(&self, actor: u32) -> bool {
        self.open.borrow().values().any(|open| open.actor == actor)
    }

    /// Disconnects the sockets of an actor.
    pub fn end_of(&self, actor: u32) {
        let ended: Vec<Open> = self
            .open
            .borrow_mut()
            .extract_if(|_, open| open.actor == actor)
            .map(|(_, o)| o)
            .collect();
        ended.into_iter().for_each(Open::end);
    }

    /// Disconnects all sockets.
    pub fn end(&self) {
        let open = self.open.take();
        open.into_values().for_each(Open::end);
    }
}

impl Open {
    fn end(self) {
        self.task.abort();
        self.socket.disconnect();
    }
}

impl Shard {
    /// A socket at an end that came from elsewhere.
    pub fn socket(&self, end: SocketEnd) -> Rc<Socket> {
        Socket::new(self.next_number(), end)
    }

    /// A `WebSocketPair`.
    pub fn socket_pair(&self) -> [Rc<Socket>; 2] {
        Socket::pair([self.next_number(), self.next_number()])
    }
}

impl Instance {
    /// Begins to deliver what a socket hears, to an actor or, with number 0, to the stateless
    /// worker. False if it was accepted before.
    ///
    /// # Errors
    /// When the socket is used in another way.
    pub fn accept_socket(
        self: &Rc<Self>,
        socket: &Rc<Socket>,
        index: u32,
    ) -> Result<bool, SocketError> {
        let actor = self.actor(index).as_ref().map(Rc::downgrade);
        let owner = actor.clone().map_or(Owner::Stateless, Owner::Actor);
        let Some(reader) = socket.accept(owner)? else { return Ok(false) };
        let task = self.shard().spawn(read(Rc::downgrade(self), actor, Rc::clone(socket), reader));
        let open = Open { socket: Rc::clone(socket), task, actor: index };
        self.sockets.open.borrow_mut().insert(socket.id(), open);
        Ok(true)
    }

    /// Takes a socket event: which socket, and what it heard.
    #[must_use]
    pub fn take_socket_event(&self, event: u32) -> Option<(Rc<Socket>, Heard)> {
        let mut events = self.events.borrow_mut();
        let EventKind::Socket(event) = &mut events.find_mut(event)?.kind else { return None };
        let heard = match event.heard.is_last() {
            // Still needed when the handler is done.
            true => event.heard.clone(),
            false => std::mem::replace(&mut event.heard, NOTHING),
        };
        event.socket.hear(&heard);
        if let Some(taken) = event.taken.take() {
            // The reader goes on to the next frame, also while the handler waits.
            drop(taken.send(Ok(())));
        }
        Some((Rc::clone(&event.socket), heard))
    }

    /// The handler of a socket event is done.
    pub fn finish_socket_event(&self, event: u32) {
        let event = self.events.borrow_mut().remove(event);
        let Some(Event { kind: EventKind::Socket(event), .. }) = event else { return };
        if event.heard.is_last() {
            match event.socket.set() {
                Some(set) => set.finish(&event.socket, &event.heard),
                None => drop(self.sockets.open.borrow_mut().remove(&event.socket.id())),
            }
        }
    }

    /// Disconnects a socket because a listener failed.
    pub fn drop_socket(&self, socket: &Socket) {
        let open = self.sockets.open.borrow_mut().remove(&socket.id());
        match open {
            Some(open) => open.end(),
            None => socket.disconnect(),
        }
    }
}

async fn read(
    instance: Weak<Instance>,
    actor: Option<Weak<Actor>>,
    socket: Rc<Socket>,
    mut reader: LinkReader,
) {
    loop {
        let heard = Heard::from(reader.next().await);
        let taken = hand_over(&socket, &heard, |event| {
            let Some(instance) = instance.upgrade() else { return };
            deliver(&instance, actor.as_ref(), event);
        });
        if taken.await.is_err() {
            // The worker or actor is gone, and its sockets with it.
            return socket.disconnect();
        }
        if heard.is_last() {
            return;
        }
    }
}

fn deliver(instance: &Rc<Instance>, actor: Option<&Weak<Actor>>, event: SocketEvent) {
    let kind = EventKind::Socket(event);
    match actor.map(Weak::upgrade) {
        None => instance.deliver(Event { actor: None, entry: Entry::default(), kind }),
        Some(Some(actor)) => actor.deliver(kind),
        Some(None) => return kind.fail(Error::reset("The Durable Object is gone.")),
    }
    instance.shard().pump();
}

const NOTHING: Heard = Heard::Frame(Frame::Text(Bytes::new()));
