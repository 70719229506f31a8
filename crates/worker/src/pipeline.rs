//! Calls on the result of a call that is not known yet (`spec/workers.md` RPC-17): they wait where
//! the result will be, so that a chain of calls crosses between shards once each way.
//!
//! Caller and callee share a [`Pipeline`]. The caller adds calls until the callee closes it, which
//! it does when it has the result; from then on the caller waits for the result and goes on from
//! that. So calls keep their order, whichever way they take.

use std::rc::{Rc, Weak};
use std::sync::{Arc, Mutex, PoisonError};

use crate::entrypoint::{Call, Serialized};
use crate::error::Error;
use crate::event::{Answer, EventKind};
use crate::instance::{Instance, Payload};
use crate::live::Loan;
use crate::stub::reply;

/// What waits for the result of one call.
#[derive(Debug, Default)]
pub struct Pipeline {
    /// `None` once it is closed.
    waiting: Mutex<Option<Vec<Waiting>>>,
}

/// A call that waits for what it is a call of.
#[derive(Debug)]
pub struct Waiting {
    call: Call,
    answer: Answer<Serialized>,
}

impl Pipeline {
    /// A pipeline to which calls can be added.
    #[must_use]
    pub fn open() -> Arc<Pipeline> {
        Arc::new(Pipeline { waiting: Mutex::new(Some(Vec::new())) })
    }

    fn is_open(&self) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn add(&self, waiting: Waiting) -> Result<(), Waiting> {
        match &mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(list) => list.push(waiting),
            None => return Err(waiting),
        }
        Ok(())
    }

    fn close(&self) -> Vec<Waiting> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        waiting.unwrap_or_default()
    }

    fn fail(&self, error: &Error) {
        self.close().into_iter().for_each(|waiting| drop(waiting.answer.send(Err(error.clone()))));
    }
}

/// A call on its way, as its caller knows it.
pub(crate) struct SentCall {
    instance: Weak<Instance>,
    slot: u32,
    pipeline: Arc<Pipeline>,
}

/// The caller's side.
impl Instance {
    /// The pipeline of the call that promise `slot` waits for, if calls can still be added.
    #[must_use]
    pub fn pipeline(&self, slot: u32) -> Option<Arc<Pipeline>> {
        let pipeline = self.pipelines.borrow().get(&slot).cloned();
        // What this call reveals may not be durable yet; then it leaves by itself, later.
        pipeline.filter(|pipeline| pipeline.is_open() && self.writes_durable().is_none())
    }

    /// Adds a call to a pipeline; promise `slot` gets the value. False if it was closed meanwhile.
    pub fn send_to(self: &Rc<Self>, pipeline: &Pipeline, slot: u32, call: Call) -> bool {
        if let Err(error) = self.meters.count_sub_request() {
            self.defer(slot, async move { Err(error) });
            return true;
        }
        let sent = SentCall::new(self, slot);
        let call = Call { pipeline: Some(sent.pipeline()), ..call };
        let (answer, reply) = reply();
        let is_added = pipeline.add(Waiting { call, answer }).is_ok();
        if is_added {
            self.defer(slot, async move { sent.answered(reply.await) });
        }
        is_added
    }
}

impl SentCall {
    /// A call whose value promise `slot` gets.
    pub fn new(instance: &Rc<Instance>, slot: u32) -> SentCall {
        let pipeline = Pipeline::open();
        instance.pipelines.borrow_mut().insert(slot, Arc::clone(&pipeline));
        SentCall { instance: Rc::downgrade(instance), slot, pipeline }
    }

    pub fn pipeline(&self) -> Arc<Pipeline> {
        Arc::clone(&self.pipeline)
    }

    /// Its result is known here: what still waits for it fails as it did.
    pub fn answered(self, result: Result<Serialized, Error>) -> Result<Payload, Error> {
        if let Err(error) = &result {
            self.pipeline.fail(error);
        }
        result.map(Payload::Serialized)
    }
}

impl Drop for SentCall {
    fn drop(&mut self) {
        if let Some(instance) = self.instance.upgrade() {
            instance.pipelines.borrow_mut().remove(&self.slot);
        }
        // Of a call that succeeded, the callee took what waited.
        self.pipeline.fail(&Error::bug("calls on a result that was never known"));
    }
}

/// The callee's side.
impl Instance {
    /// Closes the pipeline of an event whose result is known; true if calls wait, which
    /// [`run_waiting`](Self::run_waiting) then runs.
    pub fn close_pipeline(&self, event: u32) -> bool {
        let pipeline = match &self.events.borrow().find(event).map(|event| &event.kind) {
            Some(EventKind::Call(Some(call), _)) => call.pipeline.clone(),
            _ => None,
        };
        let waiting = pipeline.map(|pipeline| pipeline.close()).unwrap_or_default();
        let has_some = !waiting.is_empty();
        if has_some {
            self.waiting_calls.replace(waiting);
        }
        has_some
    }

    /// Delivers the calls that waited to the result they waited for.
    pub fn run_waiting(&self, loan: &Arc<Loan>) {
        for Waiting { call, answer } in self.waiting_calls.take() {
            let call = Call { target: Some(Arc::clone(loan)), ..call };
            let kind = EventKind::Call(Some(call), answer);
            self.shard().outside(move |shard| shard.deliver_to_loan(kind));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entrypoint::Reply;

    fn waiting() -> (Waiting, Reply<Serialized>) {
        let (answer, reply) = reply();
        (Waiting { call: Call::default(), answer }, reply)
    }

    fn ready(reply: Reply<Serialized>) -> Result<Serialized, Error> {
        futures_util::FutureExt::now_or_never(reply).expect("it was answered")
    }

    #[test]
    fn calls_wait_until_the_callee_takes_them() {
        let pipeline = Pipeline::open();
        assert!(pipeline.is_open());
        for _ in 0..3 {
            assert!(pipeline.add(waiting().0).is_ok());
        }
        assert_eq!(pipeline.close().len(), 3);
        assert!(!pipeline.is_open());
        assert!(pipeline.add(waiting().0).is_err());
        assert!(pipeline.close().is_empty());
    }

    #[test]
    fn what_waits_for_a_call_that_fails_fails_with_it() {
        let pipeline = Pipeline::open();
        let (first, reply) = waiting();
        assert!(pipeline.add(first).is_ok());
        pipeline.fail(&Error::reset("gone"));
        assert_eq!(ready(reply).unwrap_err().to_string(), "Error: gone");
    }
}
