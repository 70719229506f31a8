//! A WebSocket in the hands of a worker: how it may be used, and what it hears.
//!
//! A socket is fresh until it is accepted, accepted for hibernation, or sent away in a response
//! (`spec/workers.md` §3.4, §7.4). What it sends passes the output gate of the actor it belongs
//! to. One task per accepted socket reads its link; the next frame is not read before the
//! worker took the one before, so a slow worker slows the peer down.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};

use bytes::Bytes;

use crate::actor::Actor;
use crate::event::{Answer, Outgoing};
use crate::limits::{SOCKET_ATTACHMENT_BYTES_MAX, SOCKET_BUFFER_BYTES_MAX};
use crate::link::{self, Close, Frame, LinkReader, LinkWriter, SocketEnd};
use crate::socket_set::SocketSet;

/// One end of a WebSocket that a worker holds.
pub struct Socket {
    id: u64,
    stage: Cell<Stage>,
    writer: RefCell<Option<LinkWriter>>,
    reader: RefCell<Option<LinkReader>>,
    /// The other end, if this is one of a `WebSocketPair`.
    partner: RefCell<Weak<Socket>>,
    owner: RefCell<Owner>,
    is_closed_by_us: Cell<bool>,
    is_closed_by_peer: Cell<bool>,
    is_gone: Cell<bool>,
    attachment: RefCell<Option<Bytes>>,
    /// What it was accepted with, for hibernation.
    pub(crate) tags: OnceCell<Box<[Box<str>]>>,
    /// When the last automatic answer was given, in milliseconds since 1970.
    pub(crate) answered_ms: Cell<Option<u64>>,
}

/// What became of a socket so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Made or received, and not used yet.
    Fresh,
    /// `accept()` was called: its events go to listeners.
    Accepted,
    /// It belongs to an actor that may hibernate: its events go to the actor's class.
    Hibernatable,
    /// It left in a response.
    Sent,
}

/// Whose output gate holds back what a socket sends.
pub(crate) enum Owner {
    /// A stateless worker, which has none.
    Stateless,
    /// The actor that accepted it.
    Actor(Weak<Actor>),
    /// Whatever instance the actor has at the moment.
    Set(Weak<SocketSet>),
}

/// What a socket hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A frame of the peer.
    Frame(Frame),
    /// The peer went away without a close frame.
    Disconnected,
}

/// One thing a socket heard, on its way to the worker.
pub struct SocketEvent {
    /// The socket that heard it.
    pub socket: Rc<Socket>,
    /// What it heard.
    pub heard: Heard,
    /// Told when the worker takes the event, or why it never will.
    pub(crate) taken: Option<Answer<()>>,
    /// Dropped when the handler is done.
    pub(crate) handled: Option<tokio::sync::oneshot::Sender<()>>,
}

/// Why a socket cannot be used as asked; the texts are the platform's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SocketError {
    /// It must be accepted first.
    #[error(
        "You must call one of accept() or state.acceptWebSocket() on this WebSocket before \
         sending messages."
    )]
    NotAccepted,
    /// Our side was closed.
    #[error("Can't call WebSocket send() after close().")]
    Closed,
    /// The peer does not read what was sent.
    #[error(
        "The peer of this WebSocket does not read what it is sent: {SOCKET_BUFFER_BYTES_MAX} \
         bytes wait for it. The connection was dropped."
    )]
    Full,
    /// It left in a response.
    #[error("Can't accept() WebSocket that was already used in a response.")]
    Sent,
    /// It belongs to an actor that may hibernate.
    #[error("Can't accept() WebSocket after enabling hibernation.")]
    Hibernatable,
    /// It is in use here.
    #[error("Can't return WebSocket in a Response after calling accept().")]
    InUse,
    /// `acceptWebSocket()` after `accept()`.
    #[error("Cannot call `acceptWebSocket()` if the WebSocket was already accepted via `accept()`")]
    AcceptedBefore,
    /// `acceptWebSocket()` on a pair that is in use.
    #[error(
        "Cannot call `acceptWebSocket()` on this WebSocket because its pair has already been \
         accepted or used in a Response."
    )]
    PartnerInUse,
    /// The attachment is too large.
    #[error(
        "A WebSocket 'attachment' cannot be larger than {SOCKET_ATTACHMENT_BYTES_MAX} bytes.\
         'attachment' was {0} bytes."
    )]
    Attachment(usize),
    /// Another rule of hibernation.
    #[error("{0}")]
    Rule(String),
}

impl Socket {
    /// The socket at an end that came from elsewhere.
    #[must_use]
    pub fn new(id: u64, end: SocketEnd) -> Rc<Socket> {
        Rc::new(Socket {
            id,
            stage: Cell::new(Stage::Fresh),
            writer: RefCell::new(Some(end.writer)),
            reader: RefCell::new(Some(end.reader)),
            partner: RefCell::default(),
            owner: RefCell::new(Owner::Stateless),
            is_closed_by_us: Cell::new(false),
            is_closed_by_peer: Cell::new(false),
            is_gone: Cell::new(false),
            attachment: RefCell::default(),
            tags: OnceCell::new(),
            answered_ms: Cell::new(None),
        })
    }

    /// A `WebSocketPair`.
    #[must_use]
    pub fn pair(ids: [u64; 2]) -> [Rc<Socket>; 2] {
        let (a, b) = link::pair();
        let [a, b] = [Socket::new(ids[0], a), Socket::new(ids[1], b)];
        *a.partner.borrow_mut() = Rc::downgrade(&b);
        *b.partner.borrow_mut() = Rc::downgrade(&a);
        [a, b]
    }

    /// The number that no other socket of the shard has; it grows.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What became of it so far.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage.get()
    }

    /// `readyState`: 1 open, 2 closing, 3 closed.
    #[must_use]
    pub fn ready_state(&self) -> u32 {
        match (self.is_closed_by_us.get(), self.is_closed_by_peer.get()) {
            _ if self.is_gone.get() => 3,
            (true, true) => 3,
            (false, false) => 1,
            _ => 2,
        }
    }

    /// Begins to use it here; gives what must be read. `None` if it is accepted already.
    pub(crate) fn accept(&self, owner: Owner) -> Result<Option<LinkReader>, SocketError> {
        match self.stage.get() {
            Stage::Fresh => {}
            Stage::Accepted => return Ok(None),
            Stage::Hibernatable => return Err(SocketError::Hibernatable),
            Stage::Sent => return Err(SocketError::Sent),
        }
        self.stage.set(Stage::Accepted);
        *self.owner.borrow_mut() = owner;
        Ok(self.reader.take())
    }

    /// Gives it to a set of sockets that outlive their instance; gives what must be read.
    pub(crate) fn hibernate(&self, set: &Rc<SocketSet>) -> Result<Option<LinkReader>, SocketError> {
        if self.stage.get() != Stage::Fresh {
            return Err(SocketError::AcceptedBefore);
        }
        let partner = self.partner.borrow().upgrade();
        if partner.is_some_and(|partner| partner.stage.get() != Stage::Fresh) {
            return Err(SocketError::PartnerInUse);
        }
        self.stage.set(Stage::Hibernatable);
        *self.owner.borrow_mut() = Owner::Set(Rc::downgrade(set));
        Ok(self.reader.take())
    }

    /// Takes the end out, to send it away in a response.
    ///
    /// # Errors
    /// When it is in use here or was sent before.
    pub fn take_end(&self) -> Result<SocketEnd, SocketError> {
        match self.stage.get() {
            Stage::Fresh => {}
            Stage::Accepted | Stage::Hibernatable => return Err(SocketError::InUse),
            Stage::Sent => return Err(SocketError::Sent),
        }
        self.stage.set(Stage::Sent);
        match (self.reader.take(), self.writer.take()) {
            (Some(reader), Some(writer)) => Ok(SocketEnd { reader, writer }),
            _ => Err(SocketError::Sent),
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// [`SocketError::NotAccepted`], [`SocketError::Closed`] or [`SocketError::Full`]; the
    /// last one drops the connection. A peer that is gone is no error.
    pub fn send(&self, frame: Frame) -> Result<(), SocketError> {
        self.check_accepted()?;
        if self.is_closed_by_us.get() {
            return Err(SocketError::Closed);
        }
        let Some(writer) = self.writer.borrow().clone() else { return Ok(()) };
        if writer.announce(frame.len()).is_err() {
            tracing::warn!("a WebSocket is dropped: its peer does not read");
            self.disconnect();
            return Err(SocketError::Full);
        }
        self.leave(writer, frame);
        Ok(())
    }

    /// Closes our side; a second time does nothing.
    ///
    /// # Errors
    /// [`SocketError::NotAccepted`].
    pub fn close(&self, close: Close) -> Result<(), SocketError> {
        self.check_accepted()?;
        if self.is_closed_by_us.replace(true) {
            return Ok(());
        }
        if let Some(writer) = self.writer.borrow().clone() {
            self.leave(writer, Frame::Close(close));
        }
        Ok(())
    }

    /// Sends an automatic answer, which reveals nothing and therefore passes no gate.
    pub(crate) fn answer(&self, frame: Frame) -> Result<(), SocketError> {
        let writer = self.writer.borrow();
        let Some(writer) = writer.as_ref().filter(|_| !self.is_closed_by_us.get()) else {
            return Ok(());
        };
        let sent = writer.send(frame);
        if sent.is_err() {
            writer.cut();
        }
        sent.map_err(|_| SocketError::Full)
    }

    fn check_accepted(&self) -> Result<(), SocketError> {
        match self.stage.get() {
            Stage::Accepted | Stage::Hibernatable => Ok(()),
            Stage::Fresh | Stage::Sent => Err(SocketError::NotAccepted),
        }
    }

    /// Brings a frame to the output gate of whom the socket belongs to.
    fn leave(&self, writer: LinkWriter, frame: Frame) {
        let actor = match &*self.owner.borrow() {
            Owner::Stateless => return writer.push(frame),
            Owner::Actor(actor) => actor.upgrade(),
            Owner::Set(set) => set.upgrade().and_then(|set| set.actor()),
        };
        match actor {
            Some(actor) => actor.leave(Outgoing::Frame(writer, frame)),
            None => writer.cut(),
        }
    }

    /// Notes what was heard, before the worker is told.
    pub(crate) fn hear(&self, heard: &Heard) {
        match heard {
            Heard::Frame(Frame::Text(_) | Frame::Binary(_)) => {}
            Heard::Frame(Frame::Close(_)) => self.is_closed_by_peer.set(true),
            Heard::Frame(Frame::Failed(_)) | Heard::Disconnected => {
                self.is_closed_by_peer.set(true);
                if self.stage.get() == Stage::Accepted {
                    self.is_gone.set(true);
                }
            }
        }
    }

    /// Answers the peer's close frame, unless our side was closed before.
    pub fn close_in_return(&self, close: Close) {
        // Only an accepted socket hears a close frame.
        let _ = self.close(close);
    }

    /// Ends it without a close frame: its peer sees a lost connection.
    pub fn disconnect(&self) {
        self.is_gone.set(true);
        if let Some(writer) = self.writer.take() {
            writer.cut();
        }
        self.reader.take();
    }

    /// Bytes that wait for the peer.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.writer.borrow().as_ref().map_or(0, LinkWriter::waiting_bytes)
    }

    /// Keeps a value with the socket, also while its actor hibernates (DO-25).
    ///
    /// # Errors
    /// [`SocketError::Attachment`] for one that is too large.
    pub fn attach(&self, value: Bytes) -> Result<(), SocketError> {
        if value.len() > SOCKET_ATTACHMENT_BYTES_MAX {
            return Err(SocketError::Attachment(value.len()));
        }
        *self.attachment.borrow_mut() = Some(value);
        Ok(())
    }

    /// The value that was attached last.
    #[must_use]
    pub fn attachment(&self) -> Option<Bytes> {
        self.attachment.borrow().clone()
    }

    /// The set it belongs to, if it can outlive its instance.
    pub(crate) fn set(&self) -> Option<Rc<SocketSet>> {
        match &*self.owner.borrow() {
            Owner::Set(set) => set.upgrade(),
            Owner::Stateless | Owner::Actor(_) => None,
        }
    }

    /// The tags it was accepted with (DO-24).
    ///
    /// # Errors
    /// [`SocketError::Rule`] unless it was accepted for hibernation.
    pub fn tags(&self) -> Result<&[Box<str>], SocketError> {
        match (self.stage.get(), self.tags.get()) {
            (Stage::Hibernatable, Some(tags)) => Ok(tags),
            (Stage::Accepted, _) => {
                Err(SocketError::Rule("only hibernatable websockets can have tags.".into()))
            }
            _ => Err(SocketError::Rule(
                "you must call 'acceptWebSocket()' before attempting to access the tags of a \
                 WebSocket."
                    .into(),
            )),
        }
    }

    /// When the last automatic answer was given, in milliseconds since 1970.
    #[must_use]
    pub fn answered_ms(&self) -> Option<u64> {
        self.answered_ms.get()
    }
}

impl Heard {
    /// True if the socket hears nothing after this.
    #[must_use]
    pub fn is_last(&self) -> bool {
        !matches!(self, Heard::Frame(Frame::Text(_) | Frame::Binary(_)))
    }
}

impl From<Option<Frame>> for Heard {
    fn from(frame: Option<Frame>) -> Heard {
        frame.map_or(Heard::Disconnected, Heard::Frame)
    }
}

impl SocketEvent {
    /// Tells the reader that the worker will never take the event.
    pub(crate) fn fail(self, error: crate::error::Error) {
        if let Some(taken) = self.taken {
            drop(taken.send(Err(error)));
        }
    }
}
