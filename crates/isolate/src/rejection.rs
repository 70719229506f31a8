//! Promises that were rejected with nobody listening.
//!
//! The engine's own bookkeeping is only worked off by its event loop, which a direct invoke
//! does not run; so isolates keep their own list and report it after the microtasks ran.

use std::cell::RefCell;

use deno_core::v8;

/// The rejected promises of one turn with their reasons, and those that were reported in an
/// earlier one and are handled now.
#[derive(Default)]
pub(crate) struct Rejections {
    pending: RefCell<Vec<Rejection>>,
    handled: RefCell<Vec<v8::Global<v8::Promise>>>,
}

/// A promise that was rejected, and what with.
type Rejection = (v8::Global<v8::Promise>, v8::Global<v8::Value>);

impl Rejections {
    /// Starts listening on an entered isolate.
    pub fn install(isolate: &mut v8::Isolate) {
        isolate.set_slot(Rejections::default());
        isolate.set_promise_reject_callback(on_reject);
    }

    pub fn is_empty(&self) -> bool {
        self.pending.borrow().is_empty() && self.handled.borrow().is_empty()
    }

    /// Takes the promises that are still unhandled.
    pub fn take(&self) -> Vec<Rejection> {
        self.pending.take()
    }

    /// Takes the promises that are handled too late.
    pub fn take_handled(&self) -> Vec<v8::Global<v8::Promise>> {
        self.handled.take()
    }
}

extern "C" fn on_reject(message: v8::PromiseRejectMessage) {
    // SAFETY: V8 calls this with the isolate of the message entered.
    v8::callback_scope!(unsafe scope, &message);
    let promise = message.get_promise();
    let reason = message.get_value().map(|reason| v8::Global::new(scope, reason));
    let promise = v8::Global::new(scope, promise);
    let Some(rejections) = scope.get_slot::<Rejections>() else { return };
    // A reader further up the stack cannot exist: the list is only touched here and by `take`.
    let Ok(mut pending) = rejections.pending.try_borrow_mut() else { return };
    match (message.get_event(), reason) {
        (v8::PromiseRejectEvent::PromiseRejectWithNoHandler, Some(reason))
            if pending.len() < REJECTIONS_MAX =>
        {
            pending.push((promise, reason));
        }
        (v8::PromiseRejectEvent::PromiseHandlerAddedAfterReject, _) => {
            let before = pending.len();
            pending.retain(|(other, _)| *other != promise);
            if pending.len() == before
                && let Ok(mut handled) = rejections.handled.try_borrow_mut()
                && handled.len() < REJECTIONS_MAX
            {
                handled.push(promise);
            }
        }
        _ => {}
    }
}

/// Rejections kept per turn; more of them tell nothing new.
const REJECTIONS_MAX: usize = 1000;
