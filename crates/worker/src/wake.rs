//! What other threads leave for a shard: work to run, commits that became durable, isolates
//! whose engine wants to be polled.

use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use tokio::sync::Notify;

use crate::shard::Shard;

/// Work that runs on the shard's thread.
pub type Task = Box<dyn FnOnce(&Rc<Shard>) + Send>;

impl std::fmt::Debug for WakeQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WakeQueue").finish_non_exhaustive()
    }
}

/// A shard's letter box. Posting never blocks for long and never loses a letter.
#[derive(Default)]
pub struct WakeQueue {
    letters: Mutex<Vec<Letter>>,
    notify: Notify,
}

/// One thing another thread wants of a shard.
pub enum Letter {
    /// Run this.
    Task(Task),
    /// The actor's commits up to this number are durable, or its storage failed.
    Durable(u64, Result<u64, storage::Error>),
    /// The engine of this worker wants to be polled.
    Poll(u64),
    /// Nobody holds this object of this worker any longer; see [`crate::live`].
    Returned(u64, u32),
}

impl WakeQueue {
    /// Leaves a letter and wakes the shard.
    pub fn post(&self, letter: Letter) {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).push(letter);
        self.notify.notify_one();
    }

    /// Wakes the shard without a letter.
    pub fn nudge(&self) {
        self.notify.notify_one();
    }

    /// Takes all letters, oldest first.
    pub fn take(&self) -> Vec<Letter> {
        std::mem::take(&mut *self.letters.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for a letter or a nudge. Cancelling loses neither.
    pub async fn wait(&self) {
        self.notify.notified().await;
    }

    /// A waker that asks the shard to poll the engine of worker `worker`.
    #[must_use]
    pub fn waker(self: &Arc<Self>, worker: u64) -> Waker {
        Waker::from(Arc::new(PollWaker { queue: Arc::clone(self), worker }))
    }
}

struct PollWaker {
    queue: Arc<WakeQueue>,
    worker: u64,
}

impl Wake for PollWaker {
    fn wake(self: Arc<Self>) {
        self.queue.post(Letter::Poll(self.worker));
    }
}
