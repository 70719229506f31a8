//! Cron triggers: when `scheduled()` handlers of the configured workers run.
//!
//! Patterns have the platform's five fields, in UTC, with Sunday as day 1. Times that passed while
//! the process did not run are not made up for.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use chrono::{DateTime, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use crate::event::{Entry, Event, EventKind};
use crate::instance::Instance;
use crate::shard::Shard;
use crate::stub::reply;

/// A pattern that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronTrigger {
    worker: usize,
    text: String,
    cron: Cron,
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
        Ok(CronTrigger { worker: 0, text: text.into(), cron })
    }

    /// The same for the configured worker at a place; the first has it otherwise.
    #[must_use]
    pub fn of_worker(self, worker: usize) -> CronTrigger {
        CronTrigger { worker, ..self }
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

    /// When the next trigger is due.
    pub(crate) fn next_cron(&self) -> Option<u64> {
        self.crons().1.triggers.borrow().iter().filter_map(|(_, next_ms)| next_ms.get()).min()
    }

    /// Runs the handlers that are due.
    pub(crate) fn run_crons(self: &Rc<Self>, now_ms: u64) {
        let mut due = Vec::new();
        for (trigger, next_ms) in &*self.crons().1.triggers.borrow() {
            if let Some(time_ms) = next_ms.get().filter(|next_ms| *next_ms <= now_ms) {
                due.push((trigger.worker, ScheduledRun { cron: trigger.text.clone(), time_ms }));
                next_ms.set(trigger.next_after(now_ms));
            }
        }
        for (worker, run) in due {
            self.run_scheduled(worker, run);
        }
    }

    fn run_scheduled(self: &Rc<Self>, worker: usize, run: ScheduledRun) {
        let (answer, end) = reply();
        let (shard, text) = (Rc::clone(self), run.cron.clone());
        self.outside(move |shard| {
            let kind = EventKind::Scheduled(run, answer);
            let event = Event { actor: None, entry: Entry::default(), kind };
            match shard.configured_worker(worker) {
                Ok(worker) => worker.instance.deliver(event),
                Err(error) => event.fail(error),
            }
        });
        shard.spawn(async move {
            if let Err(error) = end.await {
                tracing::error!(cron = text, %error, "scheduled() failed");
            }
        });
    }
}

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
