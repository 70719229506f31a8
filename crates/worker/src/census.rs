//! What lives in memory, for operators and tests.

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::entrypoint::Reply;
use crate::error::Error;
use crate::position::Position;
use crate::shard::Shard;

/// What one shard, or all of them, have in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Every place that is known: root or facet.
    pub objects: Vec<ObjectState>,
    /// Workers that have an isolate, the configured one included.
    pub workers: usize,
}

/// One place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectState {
    /// The class of the root's namespace.
    pub namespace: String,
    /// The root's id, 64 hex digits.
    pub id: String,
    /// The name of the root's id, if a caller knew it.
    pub name: Option<String>,
    /// The names from the root to the facet; empty for the root.
    pub facet: Vec<String>,
    /// Whether it has an instance.
    pub presence: Presence,
    /// The shard it belongs to.
    pub shard: usize,
    /// When its alarm is due, in milliseconds since 1970.
    pub alarm_ms: Option<u64>,
}

/// Whether a place has an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Its class is being asked for or loaded.
    Starting,
    /// It has.
    Running,
    /// It left memory; the next event makes another.
    Idle,
    /// It was reset; the next use makes another.
    Broken,
}

impl Presence {
    /// The word for it in the REST API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Presence::Starting => "starting",
            Presence::Running => "running",
            Presence::Idle => "idle",
            Presence::Broken => "broken",
        }
    }
}

impl Shard {
    /// What all shards have in memory.
    #[must_use]
    pub fn census(&self) -> Reply<Census> {
        let counted = self.on_all(|shard| shard.own_census());
        Box::pin(async move {
            let mut all = Census::default();
            for census in counted.await? {
                all.objects.extend(census.objects);
                all.workers += census.workers;
            }
            Ok(all)
        })
    }

    /// Moves the clock of the process forward, for tests; answers after all shards did what is
    /// due then.
    #[must_use]
    pub fn advance_clock(&self, ms: u64) -> Reply<()> {
        self.clock().advance(ms);
        let moved = self.on_all(|shard| shard.clock_moved());
        Box::pin(async move { moved.await.map(|_| ()) })
    }

    /// Runs `f` on every shard.
    fn on_all<T: Send + 'static>(
        &self,
        f: impl Fn(&Rc<Shard>) -> T + Send + Sync + 'static,
    ) -> Reply<Vec<T>> {
        let f = Arc::new(f);
        let mut answers = Vec::new();
        for shard in 0..self.count() {
            let (answer, waiter) = oneshot::channel();
            let f = Arc::clone(&f);
            // Whoever asked may be gone.
            self.dispatch(shard, move |shard| drop(answer.send(f(shard))));
            answers.push(waiter);
        }
        Box::pin(async move {
            let mut all = Vec::new();
            for answer in answers {
                all.push(answer.await.map_err(|_| Error::OverloadShutdown)?);
            }
            Ok(all)
        })
    }

    fn own_census(&self) -> Census {
        let mut objects = Vec::new();
        for root in self.namespaces().slots() {
            let presence = match root.actor() {
                Some(_) => Presence::Running,
                None => Presence::Idle,
            };
            objects.push(self.state_of(&root.position, &[], presence));
            self.add_facets(&root.position, &[], &mut objects);
        }
        Census { objects, workers: self.worker_count() }
    }

    fn add_facets(&self, position: &Position, path: &[String], objects: &mut Vec<ObjectState>) {
        for slot in position.slots() {
            let path = [path, &[slot.name().to_owned()]].concat();
            // One that never started has no place yet.
            let Some(position) = slot.known_position() else { continue };
            objects.push(self.state_of(position, &path, slot.presence()));
            self.add_facets(position, &path, objects);
        }
    }

    fn state_of(&self, position: &Position, path: &[String], presence: Presence) -> ObjectState {
        let alarm = self.alarm_index().find(&position.alarm_key());
        ObjectState {
            namespace: position.root.class.to_string(),
            id: position.root.id.hex(),
            name: position.root.name().map(str::to_owned),
            facet: path.to_vec(),
            presence,
            shard: self.index(),
            alarm_ms: alarm.map(|known| known.time_ms),
        }
    }
}
