//! The schedules of `spec/workers.md` A.3, and random ones against the rules in plain words.

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{InputGate, SECTION_DEPTH_MAX, SectionId, Step};

const ROOT: SectionId = SectionId::ROOT;

fn section(number: u32) -> SectionId {
    SectionId::new(number)
}

/// A gate at which section 1 runs.
fn blocked() -> InputGate<&'static str> {
    let mut gate = InputGate::new();
    assert!(gate.begin(ROOT, section(1)));
    assert_eq!(gate.turn_ended(), [Step::Enter(section(1))]);
    gate
}

/// Ends a section, and the turn that resumes whoever waited for it.
fn leave(gate: &mut InputGate<&'static str>, number: u32) -> Vec<Step<&'static str>> {
    let parent = gate.end(section(number)).expect("it runs");
    assert!(gate.turn_ended().is_empty(), "the parent resumes first");
    gate.release(parent);
    gate.turn_ended()
}

#[test]
fn an_open_gate_lets_deliveries_through() {
    let mut gate = InputGate::new();
    assert_eq!(gate.pass(ROOT, "event"), Some("event"));
    assert!(gate.is_settled());
}

#[test]
fn a_section_begins_when_the_turn_that_asked_for_it_is_over() {
    let mut gate = InputGate::<()>::new();
    assert!(gate.begin(ROOT, section(1)));
    assert!(!gate.is_running(section(1)));
    assert_eq!(gate.turn_ended(), [Step::Enter(section(1))]);
    assert!(gate.is_running(section(1)));
}

#[test]
fn events_wait_for_the_end_of_a_section_in_their_order() {
    let mut gate = blocked();
    assert_eq!(gate.pass(ROOT, "first"), None);
    assert_eq!(gate.pass(ROOT, "second"), None);
    assert_eq!(gate.waiting(), 2);
    assert!(gate.turn_ended().is_empty());
    assert_eq!(leave(&mut gate, 1), [Step::Deliver("first"), Step::Deliver("second")]);
    assert_eq!(gate.pass(ROOT, "third"), Some("third"));
}

#[test]
fn what_a_section_started_passes() {
    let mut gate = blocked();
    assert_eq!(gate.pass(section(1), "its timer"), Some("its timer"));
}

#[test]
fn sections_go_before_events_that_wait_longer() {
    let mut gate = blocked();
    assert_eq!(gate.pass(ROOT, "event"), None);
    assert!(gate.begin(ROOT, section(2)));
    assert!(gate.turn_ended().is_empty());
    assert_eq!(leave(&mut gate, 1), [Step::Enter(section(2))]);
    assert_eq!(leave(&mut gate, 2), [Step::Deliver("event")]);
}

#[test]
fn what_resumes_after_a_section_may_begin_the_next_before_any_event() {
    let mut gate = blocked();
    assert_eq!(gate.pass(ROOT, "event"), None);
    let parent = gate.end(section(1)).unwrap();
    assert_eq!(parent, ROOT);
    assert!(gate.turn_ended().is_empty());
    assert!(gate.begin(ROOT, section(2)));
    gate.release(parent);
    assert_eq!(gate.turn_ended(), [Step::Enter(section(2))]);
}

#[test]
fn a_nested_section_holds_back_what_the_outer_one_started() {
    let mut gate = blocked();
    assert!(gate.begin(section(1), section(2)));
    assert_eq!(gate.turn_ended(), [Step::Enter(section(2))]);
    assert_eq!(gate.pass(section(1), "outer"), None);
    assert_eq!(gate.pass(ROOT, "event"), None);
    assert_eq!(gate.pass(section(2), "inner"), Some("inner"));
    assert_eq!(leave(&mut gate, 2), [Step::Deliver("outer")]);
    assert_eq!(leave(&mut gate, 1), [Step::Deliver("event")]);
}

#[test]
fn what_a_section_leaves_behind_belongs_to_its_parent() {
    let mut gate = blocked();
    assert!(gate.begin(section(1), section(2)));
    assert_eq!(gate.turn_ended(), [Step::Enter(section(2))]);
    assert!(leave(&mut gate, 2).is_empty());
    // Still inside of section 1.
    assert_eq!(gate.pass(section(2), "straggler"), Some("straggler"));
    assert!(leave(&mut gate, 1).is_empty());
    assert!(gate.begin(ROOT, section(3)));
    assert_eq!(gate.turn_ended(), [Step::Enter(section(3))]);
    assert_eq!(gate.pass(section(2), "late"), None);
    assert_eq!(gate.pass(section(1), "late too"), None);
    assert_eq!(leave(&mut gate, 3), [Step::Deliver("late"), Step::Deliver("late too")]);
}

#[test]
fn an_inner_section_that_nobody_awaited_outlives_the_outer_one() {
    let mut gate = blocked();
    assert!(gate.begin(section(1), section(2)));
    assert_eq!(gate.turn_ended(), [Step::Enter(section(2))]);
    assert_eq!(gate.pass(ROOT, "event"), None);
    assert!(leave(&mut gate, 1).is_empty(), "the inner one still keeps the gate closed");
    assert_eq!(gate.pass(section(1), "outer"), None);
    assert_eq!(leave(&mut gate, 2), [Step::Deliver("event"), Step::Deliver("outer")]);
}

#[test]
fn a_section_that_does_not_run_cannot_end() {
    let mut gate = blocked();
    assert!(gate.begin(ROOT, section(2)));
    assert_eq!(gate.end(section(2)), None);
    assert_eq!(gate.end(section(3)), None);
    leave(&mut gate, 1);
    assert_eq!(gate.end(section(1)), None);
}

#[test]
fn nesting_ends_at_a_limit() {
    let mut gate = InputGate::<()>::new();
    let mut parent = ROOT;
    for number in 1..=u32::try_from(SECTION_DEPTH_MAX).unwrap() {
        assert!(gate.begin(parent, section(number)));
        parent = section(number);
        assert_eq!(gate.turn_ended(), [Step::Enter(parent)]);
    }
    assert!(!gate.begin(parent, section(1_000)));
}

#[test]
fn giving_up_hands_out_everything_that_waits() {
    let mut gate = blocked();
    assert_eq!(gate.pass(ROOT, "event"), None);
    assert!(gate.begin(section(1), section(2)));
    assert_eq!(gate.turn_ended(), [Step::Enter(section(2))]);
    assert_eq!(gate.pass(section(1), "outer"), None);
    assert_eq!(gate.take(), ["event", "outer"]);
    assert_eq!(gate.waiting(), 0);
}

/// One thing that happens; numbers pick among what is possible.
#[derive(Debug, Clone)]
enum Act {
    Arrive(usize),
    Begin(usize),
    End(usize),
    Release(usize),
    TurnEnds,
}

fn act() -> impl Strategy<Value = Act> {
    let any = 0..1_000_usize;
    prop_oneof![
        4 => any.clone().prop_map(Act::Arrive),
        2 => any.clone().prop_map(Act::Begin),
        2 => any.clone().prop_map(Act::End),
        2 => any.prop_map(Act::Release),
        4 => Just(Act::TurnEnds),
    ]
}

/// What the rules say about each section, kept the long way round.
#[derive(Default)]
struct Rules {
    parents: HashMap<SectionId, SectionId>,
    entered: Vec<SectionId>,
    ended: Vec<SectionId>,
    released: Vec<SectionId>,
}

impl Rules {
    fn is_open(&self, section: SectionId) -> bool {
        section == ROOT || !self.ended.contains(&section)
    }

    /// Where what `section` started belongs now.
    fn home(&self, mut section: SectionId) -> SectionId {
        while !self.is_open(section) {
            section = self.parents[&section];
        }
        section
    }

    /// Sections that were begun and not left, whose begin closed the gate of `home`.
    fn closing(&self, home: SectionId) -> usize {
        let unleft = self.entered.iter().filter(|section| !self.released.contains(section));
        unleft.filter(|section| self.home(self.parents[section]) == home).count()
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_schedules_keep_the_rules(acts in vec(act(), 1..120)) {
        let mut gate = InputGate::<(u32, SectionId)>::new();
        let mut rules = Rules::default();
        let (mut next_section, mut next_delivery) = (1, 1);
        let mut held: Vec<u32> = Vec::new();
        // Parents of ended sections whose resuming turn is still to come.
        let mut leaving: Vec<(SectionId, SectionId)> = Vec::new();
        for act in acts {
            let known: Vec<SectionId> = std::iter::once(ROOT)
                .chain(rules.entered.iter().copied())
                .collect();
            let running: Vec<SectionId> = rules.entered.iter().copied()
                .filter(|section| !rules.ended.contains(section)).collect();
            match act {
                Act::Arrive(pick) => {
                    let from = known[pick % known.len()];
                    let closed = rules.closing(rules.home(from)) > 0;
                    let passed = gate.pass(from, (next_delivery, from)).is_some();
                    prop_assert!(!(closed && passed), "passed a closed gate");
                    if !passed {
                        held.push(next_delivery);
                    }
                    next_delivery += 1;
                }
                Act::Begin(pick) => {
                    let from = known[pick % known.len()];
                    if gate.begin(from, section(next_section)) {
                        rules.parents.insert(section(next_section), rules.home(from));
                        next_section += 1;
                    }
                }
                Act::End(pick) if !running.is_empty() => {
                    let ending = running[pick % running.len()];
                    let parent = gate.end(ending).expect("it runs");
                    rules.ended.push(ending);
                    prop_assert_eq!(parent, rules.home(ending));
                    leaving.push((ending, parent));
                }
                Act::Release(pick) if !leaving.is_empty() => {
                    let (left, parent) = leaving.remove(pick % leaving.len());
                    gate.release(parent);
                    rules.released.push(left);
                }
                Act::TurnEnds => check_turn(&mut gate, &mut rules, &mut held)?,
                Act::End(_) | Act::Release(_) => {}
            }
            prop_assert_eq!(gate.waiting(), held.len());
        }
        // Once every section ended and was left, nothing waits.
        loop {
            for (left, parent) in leaving.drain(..) {
                gate.release(parent);
                rules.released.push(left);
            }
            check_turn(&mut gate, &mut rules, &mut held)?;
            let running = rules.entered.iter().find(|section| !rules.ended.contains(section));
            let Some(ending) = running.copied() else { break };
            leaving.push((ending, gate.end(ending).expect("it runs")));
            rules.ended.push(ending);
        }
        check_turn(&mut gate, &mut rules, &mut held)?;
        prop_assert_eq!(rules.entered.len(), rules.parents.len(), "a section never began");
        prop_assert!(held.is_empty(), "{:?} wait for ever", held);
        prop_assert!(gate.sections.is_empty() && gate.ended.is_empty(), "something is kept");
    }
}

fn check_turn(
    gate: &mut InputGate<(u32, SectionId)>,
    rules: &mut Rules,
    held: &mut Vec<u32>,
) -> Result<(), TestCaseError> {
    for step in gate.turn_ended() {
        match step {
            Step::Enter(section) => {
                let home = rules.home(rules.parents[&section]);
                prop_assert_eq!(rules.closing(home), 0, "two sections at one gate");
                rules.entered.push(section);
            }
            Step::Deliver((number, from)) => {
                prop_assert_eq!(rules.closing(rules.home(from)), 0, "let through a closed gate");
                prop_assert!(held.contains(&number));
                held.retain(|other| *other != number);
            }
        }
    }
    prop_assert!(gate.is_settled());
    Ok(())
}
