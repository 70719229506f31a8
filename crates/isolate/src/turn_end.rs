//! Ending the running JavaScript in a way it cannot catch, with the isolate living on.
//!
//! Unlike the watchdog's, this end is asked for by an op of the turn itself, so it is known to
//! come from inside, and the isolate is in order afterwards. If the watchdog or the heap limit
//! strikes in the same turn, the isolate is condemned nevertheless: they are noted elsewhere.

use std::cell::Cell;

use deno_core::v8;

/// True from [`end_turn`] until the end took effect.
#[derive(Default)]
struct TurnEnd(Cell<bool>);

/// Prepares an entered isolate.
pub(crate) fn install(isolate: &mut v8::Isolate) {
    isolate.set_slot(TurnEnd::default());
}

/// Ends the JavaScript that called the op in which this is called, at the next call or turn of a
/// loop; `catch` and `finally` do not run. What other turns of the isolate do is not touched.
pub fn end_turn(isolate: &mut v8::Isolate) {
    if let Some(end) = isolate.get_slot::<TurnEnd>() {
        end.0.set(true);
        isolate.terminate_execution();
    }
}

/// Lets the isolate run again if its JavaScript was ended by [`end_turn`]; true if so.
pub(crate) fn resume(isolate: &mut v8::Isolate) -> bool {
    let was_ended = isolate.get_slot::<TurnEnd>().is_some_and(|end| end.0.take());
    if was_ended {
        isolate.cancel_terminate_execution();
    }
    was_ended
}
