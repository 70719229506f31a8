//! Loads of dynamic workers that wait because as many isolates live as may: first come, first
//! served, for a limited time (`spec/workers.md` Appendix B, B12).

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::error::Error;
use crate::limits::LOADS_WAITING_MAX;
use crate::shard::Shard;

/// The loads of one shard that wait.
#[derive(Default)]
pub(crate) struct LoadQueue {
    /// Held by the load that is next.
    next: Arc<Mutex<()>>,
    waiting: Cell<usize>,
}

impl Shard {
    /// Calls back once another isolate may live, or with the error of having waited in vain;
    /// either way outside of any isolate.
    pub(crate) fn load_later(
        self: &Rc<Self>,
        then: impl FnOnce(&Rc<Shard>, Result<(), Error>) + 'static,
    ) {
        let error = || Error::OverloadIsolates { isolates_max: self.limits().isolates_max };
        let wait = Duration::from_millis(self.limits().load_wait_ms);
        if self.frees_isolate() {
            return then(self, Ok(()));
        }
        let queue = self.load_queue();
        if wait.is_zero() || queue.waiting.get() >= LOADS_WAITING_MAX {
            return then(self, Err(error()));
        }
        queue.waiting.set(queue.waiting.get() + 1);
        let (shard, next, error) = (Rc::clone(self), Arc::clone(&queue.next), error());
        self.spawn(async move {
            let room = tokio::time::timeout(wait, wait_for_room(&shard, next)).await;
            let waiting = &shard.load_queue().waiting;
            waiting.set(waiting.get() - 1);
            shard.outside(move |shard| match room {
                // The next one has its turn when this one has its isolate.
                Ok(_turn) => then(shard, Ok(())),
                Err(_) => then(shard, Err(error)),
            });
        });
    }
}

async fn wait_for_room(shard: &Rc<Shard>, next: Arc<Mutex<()>>) -> impl Sized + use<> {
    let turn = next.lock_owned().await;
    loop {
        let (answer, room) = tokio::sync::oneshot::channel();
        // Isolates are dropped from the shard's loop only.
        shard.outside(move |shard| {
            let _ = answer.send(shard.frees_isolate());
        });
        if room.await.unwrap_or(false) {
            return turn;
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// How often a load that waits looks for room; events of other shards may make some.
const RETRY: Duration = Duration::from_millis(5);
