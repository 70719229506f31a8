//! Promises that were rejected with nobody listening.
//!
//! The engine's own bookkeeping is only worked off by its event loop, which a direct invoke
//! does not run; so isolates keep their own list and report it after the microtasks ran.

use std::cell::RefCell;

use deno_core::v8;

/// The rejected promises of one turn with their reasons.
#[derive(Default)]
pub(crate) struct Rejections {
    pending: RefCell<Vec<(v8::Global<v8::Promise>, v8::Global<v8::Value>)>>,
}

impl Rejections {
    /// Starts listening on an entered isolate.
    pub fn install(isolate: &mut v8::Isolate) {
        isolate.set_slot(Rejections::default());
        isolate.set_promise_reject_callback(on_reject);
    }

    pub fn is_empty(&self) -> bool {
        self.pending.borrow().is_empty()
    }

    /// Takes the reasons of the promises that are still unhandled.
    pub fn take(&self) -> Vec<v8::Global<v8::Value>> {
        self.pending.take().into_iter().map(|(_, reason)| reason).collect()
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
            pending.retain(|(other, _)| *other != promise);
        }
        _ => {}
    }
}

/// Rejections kept per turn; more of them tell nothing new.
const REJECTIONS_MAX: usize = 1000;
