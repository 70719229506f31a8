//! Cron triggers: when `scheduled()` handlers of the configured workers run, or what an object is
//! told that runs others.
//!
//! Patterns have the platform's five fields, in UTC, with Sunday as day 1. Times that passed while
//! the process did not run are not made up for.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use serde_json::json;

use crate::actor_id::ActorId;
use crate::entrypoint::{Call, Entrypoint, Reply, Serialized};
use crate::event::{Entry, Event, EventKind};
use crate::instance::Instance;
use crate::shard::Shard;
use crate::stub::{ActorStub, reply};

/// A pattern that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronTrigger {
    target: Target,
    text: String,
    cron: Cron,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    /// The configured worker at a place.
    Worker(usize),
    /// The object of a name in the namespace with a unique key: its method [`OF_ACTOR`] is called.
    Actor(Arc<str>, Arc<str>),
}

/// When the triggers of the process are due; the first shard has them.
#[derive(Default)]
pub(crate) struct Crons {
    triggers: RefCell<Vec<(CronTrigger, Cell<Option<u64>>)>>,
}

/// One run of `scheduled()`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledRun {
    /// The pattern as it was written.
    pub cron: String,
    /// When it was due, in milliseconds since 1970.
    pub time_ms: u64,
}

impl CronTrigger {
    /// Checks a pattern such as `*/5 * * * *`.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub fn parse(text: &str) -> Result<CronTrigger, String> {
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .alternative_weekdays(true)
            .build();
        let cron = parser.parse(text).map_err(|error| {
            format!(
                "{error}; write five fields: minute, hour, day of month, month, day of week, for \
                 example \"*/5 * * * *\""
            )
        })?;
        Ok(CronTrigger { target: Target::Worker(0), text: text.into(), cron })
    }

    /// The same for the configured worker at a place; the first has it otherwise.
    #[must_use]
    pub fn of_worker(self, worker: usize) -> CronTrigger {
        CronTrigger { target: Target::Worker(worker), ..self }
    }

    /// The same for the object `name` of the namespace with this unique key, whose method
    /// `runScheduled` is called with `cron` and `scheduledTime` as JSON.
    #[must_use]
    pub fn of_actor(self, key: &str, name: &str) -> CronTrigger {
        CronTrigger { target: Target::Actor(key.into(), name.into()), ..self }
    }

    /// The first time after `after_ms` that fits; `None` if there is none.
    #[must_use]
    pub fn next_after(&self, after_ms: u64) -> Option<u64> {
        let after = DateTime::<Utc>::from_timestamp_millis(i64::try_from(after_ms).ok()?)?;
        let next = self.cron.find_next_occurrence(&after, false).ok()?;
        u64::try_from(next.timestamp_millis()).ok()
    }
}

impl Shard {
    /// Arms the triggers of the process, on the first shard.
    pub(crate) fn load_crons(self: &Rc<Self>) {
        if self.index() > 0 {
            return;
        }
        let now_ms = self.clock().now_ms();
        let armed = |trigger: &CronTrigger| {
            let next_ms = trigger.next_after(now_ms);
            (trigger.clone(), Cell::new(next_ms))
        };
        let (triggers, crons) = self.crons();
        *crons.triggers.borrow_mut() = triggers.iter().map(armed).collect();
    }

    /// Replaces the triggers of objects; on the first shard. One that was there before keeps its
    /// time, so that none is passed over.
    pub fn set_actor_crons(self: &Rc<Self>, triggers: Vec<CronTrigger>) {
        let now_ms = self.clock().now_ms();
        let mut armed = self.crons().1.triggers.borrow_mut();
        let (kept, before): (Vec<_>, Vec<_>) =
            armed.drain(..).partition(|(trigger, _)| matches!(trigger.target, Target::Worker(_)));
        *armed = kept;
        armed.extend(triggers.into_iter().map(|trigger| {
            let known = before.iter().find(|(other, _)| *other == trigger);
            let next_ms = known.map(|(_, next_ms)| next_ms.get());
            let next_ms = next_ms.unwrap_or_else(|| trigger.next_after(now_ms));
            (trigger, Cell::new(next_ms))
        }));
        drop(armed);
        self.tick_when_due();
    }

    /// When the next trigger is due.
    pub(crate) fn next_cron(&self) -> Option<u64> {
        self.crons().1.triggers.borrow().iter().filter_map(|(_, next_ms)| next_ms.get()).min()
    }

    /// Runs the handlers that are due.
    pub(crate) fn run_crons(self: &Rc<Self>, now_ms: u64) {
        let mut due = Vec::new();
        for (trigger, next_ms) in &*self.crons().1.triggers.borrow() {
            if let Some(time_ms) = next_ms.get().filter(|next_ms| *next_ms <= now_ms) {
                let run = ScheduledRun { cron: trigger.text.clone(), time_ms };
                due.push((trigger.target.clone(), run));
                next_ms.set(trigger.next_after(now_ms));
            }
        }
        for (target, run) in due {
            let text = run.cron.clone();
            let (end, whose) = match target {
                Target::Worker(worker) => (self.run_scheduled(worker, run), "".into()),
                Target::Actor(key, name) => (self.call_scheduled(&key, &name, &run), name),
            };
            self.spawn(async move {
                if let Err(error) = end.await {
                    tracing::error!(cron = text, app = &*whose, %error, "scheduled() failed");
                }
            });
        }
    }

    fn call_scheduled(self: &Rc<Self>, key: &str, name: &str, run: &ScheduledRun) -> Reply<()> {
        let run = json!({ "cron": run.cron, "scheduledTime": run.time_ms });
        let arguments = Some(Serialized::of_text_argument(&run.to_string()));
        let call = Call { method: Some(OF_ACTOR.into()), arguments, ..Call::default() };
        let id = ActorId::from_name(key, name);
        let reply = ActorStub::new(Rc::clone(self), key.into(), id).call(call);
        Box::pin(async move { reply.await.map(drop) })
    }

    fn run_scheduled(self: &Rc<Self>, worker: usize, run: ScheduledRun) -> Reply<()> {
        let (answer, end) = reply();
        self.outside(move |shard| {
            let kind = EventKind::Scheduled(run, answer);
            let event = Event { actor: None, entry: Entry::default(), kind };
            match shard.configured_worker(worker) {
                Ok(worker) => worker.instance.deliver(event),
                Err(error) => event.fail(error),
            }
        });
        end
    }
}

/// The method of an object that runs the `scheduled()` of others.
const OF_ACTOR: &str = "runScheduled";

/// The isolate's side of a run.
impl Instance {
    /// What a run is told.
    #[must_use]
    pub fn scheduled_run(&self, event: u32) -> Option<ScheduledRun> {
        match &self.events.borrow().find(event)?.kind {
            EventKind::Scheduled(run, _) => Some(run.clone()),
            _ => None,
        }
    }

    /// The handler is done.
    pub fn scheduled_ended(&self, event: u32) {
        let event = self.events.borrow_mut().remove(event);
        if let Some(Event { kind: EventKind::Scheduled(_, answer), .. }) = event {
            // Whoever waits only logs failures.
            let _ = answer.send(Ok(()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-24 12:00:00 UTC, a Tuesday.
    const NOON: u64 = 1_795_521_600_000;
    const MINUTE: u64 = 60_000;
    const DAY: u64 = 24 * 60 * MINUTE;

    fn next(text: &str, after_ms: u64) -> Option<u64> {
        CronTrigger::parse(text).unwrap().next_after(after_ms)
    }

    #[test]
    fn the_next_time_is_after_the_given_one() {
        assert_eq!(next("*/5 * * * *", NOON), Some(NOON + 5 * MINUTE));
        assert_eq!(next("*/5 * * * *", NOON - 1), Some(NOON));
        assert_eq!(next("0 0 * * *", NOON), Some(NOON + DAY / 2));
        assert_eq!(next("0 0 30 2 *", NOON), None, "there is no such day");
    }

    #[test]
    fn sunday_is_day_1_as_on_the_platform() {
        let sunday = NOON + 5 * DAY;
        assert_eq!(next("0 12 * * 1", NOON), Some(sunday));
        assert_eq!(next("0 12 * * SUN", NOON), Some(sunday));
        assert_eq!(next("0 12 * * 2", NOON), Some(sunday + DAY));
    }

    #[test]
    fn last_days_and_nth_days_are_known() {
        assert_eq!(next("0 12 L * *", NOON), Some(NOON + 6 * DAY));
        assert_eq!(next("0 12 * * FRI#1", NOON), Some(NOON + 10 * DAY));
    }

    #[test]
    fn what_is_no_pattern_says_what_would_be() {
        for text in ["", "x", "* * * *", "* * * * * *", "60 * * * *", "* * * * 8"] {
            let error = CronTrigger::parse(text).unwrap_err();
            assert!(error.contains("five fields"), "{text}: {error}");
        }
    }
}
