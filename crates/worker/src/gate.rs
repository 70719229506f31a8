//! The output gate: what an actor says waits until the writes it may reveal are durable
//! (`spec/workers.md` DO-11, ST-33).
//!
//! Pure: no clock and no I/O. Commits are numbered from 1; a message that leaves while commit
//! `n` is the newest one it may reveal passes once `n` is durable.

use std::collections::VecDeque;

use crate::error::Error;

/// Messages of one actor that wait for their commit, in the order they were said.
pub struct OutputGate<T> {
    durable: u64,
    broken: Option<Error>,
    held: VecDeque<(u64, T)>,
}

/// What becomes of a message at the gate.
pub enum Passage<T> {
    /// It may leave now.
    Open(T),
    /// It is kept until its commit is durable.
    Held,
    /// It must never be seen; the receiver gets the error instead.
    Broken(T, Error),
}

impl<T> OutputGate<T> {
    /// An open gate of an actor that wrote nothing yet.
    #[must_use]
    pub fn new() -> OutputGate<T> {
        OutputGate { durable: 0, broken: None, held: VecDeque::new() }
    }

    /// True if no message waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Brings a message to the gate; `reveals` is the newest commit it may reveal, 0 for none.
    pub fn pass(&mut self, reveals: u64, message: T) -> Passage<T> {
        if let Some(error) = &self.broken {
            return Passage::Broken(message, error.clone());
        }
        // Messages leave in order, so one that reveals nothing still waits for those before.
        if reveals <= self.durable && self.held.is_empty() {
            return Passage::Open(message);
        }
        self.held.push_back((reveals, message));
        Passage::Held
    }

    /// Notes that all commits up to `commit` are durable; gives the messages that may leave.
    pub fn durable(&mut self, commit: u64) -> Vec<T> {
        self.durable = self.durable.max(commit);
        let count = self.held.iter().take_while(|(reveals, _)| *reveals <= self.durable).count();
        self.held.drain(..count).map(|(_, message)| message).collect()
    }

    /// Notes that the transaction behind the newest messages wrote nothing after all, so that
    /// they reveal no more than `committed`; gives the messages that may leave.
    pub fn nothing_written(&mut self, committed: u64) -> Vec<T> {
        for (reveals, _) in &mut self.held {
            *reveals = (*reveals).min(committed);
        }
        self.durable(self.durable)
    }

    /// Closes the gate for good; gives the messages that must never be seen.
    pub fn break_with(&mut self, error: Error) -> Vec<T> {
        self.broken.get_or_insert(error);
        self.held.drain(..).map(|(_, message)| message).collect()
    }
}

impl<T> Default for OutputGate<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(gate: &mut OutputGate<&'static str>, reveals: u64, message: &'static str) -> bool {
        matches!(gate.pass(reveals, message), Passage::Held)
    }

    #[test]
    fn output_gate_holds_response_until_commit_is_durable() {
        let mut gate = OutputGate::new();
        assert!(held(&mut gate, 1, "answer"));
        assert_eq!(gate.durable(1), ["answer"]);
        assert!(matches!(gate.pass(1, "later"), Passage::Open("later")));
    }

    #[test]
    fn a_read_only_answer_leaves_at_once() {
        let mut gate = OutputGate::new();
        assert!(matches!(gate.pass(0, "answer"), Passage::Open("answer")));
    }

    #[test]
    fn messages_keep_their_order() {
        let mut gate = OutputGate::new();
        assert!(held(&mut gate, 2, "first"));
        assert!(held(&mut gate, 1, "second"));
        assert!(gate.durable(1).is_empty());
        assert_eq!(gate.durable(2), ["first", "second"]);
    }

    #[test]
    fn a_transaction_that_wrote_nothing_holds_nothing_back() {
        let mut gate = OutputGate::new();
        assert!(held(&mut gate, 1, "first"));
        assert!(gate.durable(1) == ["first"] && held(&mut gate, 2, "second"));
        assert_eq!(gate.nothing_written(1), ["second"]);
    }

    #[test]
    fn a_transaction_that_wrote_nothing_still_waits_for_the_one_before() {
        let mut gate = OutputGate::new();
        assert!(held(&mut gate, 1, "first") && held(&mut gate, 2, "second"));
        assert!(gate.nothing_written(1).is_empty());
        assert_eq!(gate.durable(1), ["first", "second"]);
    }

    #[test]
    fn a_failed_commit_lets_nothing_out_ever_again() {
        let mut gate = OutputGate::new();
        assert!(held(&mut gate, 1, "answer"));
        assert_eq!(gate.break_with(Error::bug("disk")), ["answer"]);
        assert!(matches!(gate.pass(0, "later"), Passage::Broken("later", _)));
    }
}
