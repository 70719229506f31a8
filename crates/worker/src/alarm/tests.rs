//! The schedule of alarms, step by step, with the time passed in.

use super::*;

fn run(time_ms: u64, retry_count: u32) -> Option<Due<&'static str>> {
    Some(Due::Run("a", Run { time_ms, retry_count, is_retry: retry_count > 0 }))
}

fn running(time_ms: u64) -> Schedule<&'static str> {
    let mut schedule = Schedule::default();
    schedule.set(&"a", time_ms);
    assert_eq!(schedule.due(time_ms), run(time_ms, 0));
    schedule
}

#[test]
fn al_4_an_alarm_is_never_early() {
    let mut schedule = Schedule::default();
    schedule.set(&"a", 1_000);
    assert_eq!((schedule.next_due(), schedule.due(999)), (Some(1_000), None));
    assert_eq!(schedule.due(1_000), run(1_000, 0));
    assert_eq!(schedule.due(1_000), None, "one run at a time");
}

#[test]
fn al_1_a_new_time_replaces_the_old() {
    let mut schedule = Schedule::default();
    schedule.set(&"a", 1_000);
    schedule.set(&"a", 2_000);
    assert_eq!((schedule.due(1_500), schedule.next_due()), (None, Some(2_000)));
    schedule.set(&"a", 500);
    assert_eq!(schedule.due(500), run(500, 0));
}

#[test]
fn al_1_a_deleted_alarm_does_not_come() {
    let mut schedule = Schedule::default();
    schedule.set(&"a", 1_000);
    schedule.delete(&"a");
    assert_eq!((schedule.due(u64::MAX), schedule.contains(&"a")), (None, false));
}

#[test]
fn al_6_failures_are_tried_again_later_and_later_six_times() {
    let mut schedule = running(0);
    let mut now = 0;
    for retry in 1..=6 {
        let after = schedule.finished(&"a", Outcome::FailedCounted, now, 0.0);
        assert_eq!(after, After::Scheduled(Some(0)));
        now += 2_000 << (retry - 1);
        assert_eq!(schedule.due(now - 1), None);
        assert_eq!(schedule.due(now), run(0, retry));
    }
    assert_eq!(schedule.finished(&"a", Outcome::FailedCounted, now, 0.0), After::Abandon);
    assert!(!schedule.contains(&"a"));
}

#[test]
fn al_6_jitter_is_up_to_a_quarter() {
    let mut schedule = running(0);
    schedule.finished(&"a", Outcome::FailedCounted, 0, 1.0);
    assert_eq!(schedule.next_due(), Some(2_500));
}

#[test]
fn al_7_failures_that_are_not_the_apps_do_not_count() {
    let mut schedule = running(0);
    let mut now = 0;
    for _ in 0..20 {
        schedule.finished(&"a", Outcome::FailedUncounted, now, 1.0);
        let due = schedule.next_due().unwrap();
        assert!(due - now <= 2_000 * 512 * 5 / 4, "capped");
        now = due;
        let due = schedule.due(now);
        assert_eq!(due, Some(Due::Run("a", Run { time_ms: 0, retry_count: 0, is_retry: true })));
    }
    // The delays begin anew when the kind of failure changes.
    schedule.finished(&"a", Outcome::FailedCounted, now, 0.0);
    assert_eq!(schedule.next_due(), Some(now + 2_000));
}

#[test]
fn al_5_an_alarm_set_by_the_handler_replaces_the_retry() {
    let mut schedule = running(1_000);
    schedule.set(&"a", 5_000);
    let after = schedule.finished(&"a", Outcome::FailedCounted, 1_000, 0.0);
    assert_eq!(after, After::Scheduled(Some(5_000)));
    assert_eq!((schedule.due(4_999), schedule.due(5_000)), (None, run(5_000, 0)));
}

#[test]
fn al_5_a_finished_alarm_is_gone() {
    let mut schedule = running(1_000);
    schedule.delete(&"a");
    assert_eq!(schedule.finished(&"a", Outcome::Done, 1_000, 0.0), After::Scheduled(None));
    assert_eq!(schedule.next_due(), None);
}

#[test]
fn al_3_a_wake_that_finds_a_later_alarm_waits_for_it() {
    let mut schedule = running(1_000);
    schedule.finished(&"a", Outcome::Moved(Some(9_000)), 1_000, 0.0);
    assert_eq!(schedule.due(9_000), run(9_000, 0));
}

#[test]
fn al_8_a_handler_that_takes_too_long_is_reported_once() {
    let mut schedule = running(0);
    assert_eq!(schedule.due(RUN_MS_MAX - 1), None);
    assert_eq!(schedule.due(RUN_MS_MAX), Some(Due::Overlong("a")));
    assert_eq!(schedule.due(RUN_MS_MAX), None);
    schedule.finished(&"a", Outcome::FailedCounted, RUN_MS_MAX, 0.0);
    assert_eq!(schedule.next_due(), Some(RUN_MS_MAX + 2_000));
}

#[test]
fn al_13_deleting_between_tries_ends_them() {
    let mut schedule = running(0);
    schedule.finished(&"a", Outcome::FailedCounted, 0, 0.0);
    schedule.delete(&"a");
    assert_eq!(schedule.next_due(), None);
}

#[test]
fn an_alarm_nobody_can_run_waits_until_somebody_can() {
    let mut schedule = running(1_000);
    schedule.finished(&"a", Outcome::Parked, 1_000, 0.0);
    assert_eq!(schedule.due(u64::MAX), None);
    schedule.resume(&"a");
    assert_eq!(schedule.due(1_000), run(1_000, 0));
}

#[test]
fn tries_before_a_restart_count() {
    let mut schedule = Schedule::default();
    schedule.restore(&"a", 0, 6);
    assert_eq!(schedule.due(0), run(0, 6));
    assert_eq!(schedule.finished(&"a", Outcome::FailedCounted, 0, 0.0), After::Abandon);
}

#[test]
fn a_crowd_runs_a_part_at_a_time() {
    let mut schedule = Schedule::default();
    for key in 0..=ALARMS_RUNNING_MAX {
        schedule.set(&key, 0);
    }
    for key in 0..ALARMS_RUNNING_MAX {
        assert!(matches!(schedule.due(0), Some(Due::Run(due, _)) if due == key));
    }
    assert_eq!((schedule.due(0), schedule.next_due()), (None, Some(RUN_MS_MAX)));
    schedule.finished(&3, Outcome::Done, 0, 0.0);
    assert!(matches!(schedule.due(0), Some(Due::Run(key, _)) if key == ALARMS_RUNNING_MAX));
}
