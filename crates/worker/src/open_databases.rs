//! The databases a shard has open: found by opening when commits become durable, closed when idle.
//!
//! An open database takes some 40 KB and two descriptors. A sweep every few seconds closes those
//! that were not used for [`IDLE_ROUNDS`] sweeps, and sooner beyond [`OPEN_DATABASES_MAX`]. What
//! was written is copied out of the log first, which happens in the background; so closing never
//! waits for the disk.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use crate::actor::Actor;
use crate::limits::OPEN_DATABASES_MAX;
use crate::shard::Shard;

/// Actors with an open database, by the number of its opening.
#[derive(Default)]
pub(crate) struct OpenDatabases {
    actors: RefCell<HashMap<u64, Weak<Actor>>>,
    round: Cell<u32>,
}

impl OpenDatabases {
    pub(crate) fn add(&self, opening: u64, actor: &Rc<Actor>) {
        self.actors.borrow_mut().insert(opening, Rc::downgrade(actor));
    }

    pub(crate) fn remove(&self, opening: u64) {
        self.actors.borrow_mut().remove(&opening);
    }

    pub(crate) fn find(&self, opening: u64) -> Option<Rc<Actor>> {
        self.actors.borrow().get(&opening).and_then(Weak::upgrade)
    }

    /// The number of the next sweep: a clock that costs nothing to read.
    pub(crate) fn round(&self) -> u32 {
        self.round.get()
    }

    /// Closes what is idle.
    fn sweep(&self) {
        let round = self.round.get();
        self.round.set(round + 1);
        self.actors.borrow_mut().retain(|_, actor| actor.strong_count() > 0);
        let all = self.all();
        let idle_rounds = if all.len() > OPEN_DATABASES_MAX { 0 } else { IDLE_ROUNDS };
        if let Some(unused_since) = round.checked_sub(idle_rounds) {
            for actor in all {
                actor.rest_database(unused_since);
            }
        }
    }

    /// Closes all, in the time that an orderly stop has for it. The log of what is left is read at
    /// the next start.
    pub(crate) fn close(&self) {
        let deadline = Instant::now() + CLOSE_TIME;
        let all = self.all();
        let count = all.len();
        for (closed, actor) in all.into_iter().enumerate() {
            if Instant::now() > deadline {
                tracing::warn!(left = count - closed, "no time to copy the logs of all databases");
                return;
            }
            actor.close_database();
        }
    }

    fn all(&self) -> Vec<Rc<Actor>> {
        self.actors.borrow().values().filter_map(Weak::upgrade).collect()
    }
}

/// Sweeps as long as the shard lives.
pub(crate) async fn sweep_regularly(shard: Weak<Shard>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        match shard.upgrade() {
            Some(shard) => shard.databases().sweep(),
            None => return,
        }
    }
}

const SWEEP_EVERY: Duration = Duration::from_secs(2);

/// Four seconds: before idle objects are evicted as a whole, their logs are copied.
const IDLE_ROUNDS: u32 = 2;

/// What a service manager leaves of its usual patience after requests were waited for.
const CLOSE_TIME: Duration = Duration::from_secs(5);
