//! The clock behind `setTimeout`; callbacks and ids belong to JavaScript.

use std::rc::Rc;

use deno_core::{OpState, op2};
use worker::instance::Instance;

/// Starts a timer, or starts it anew; it fires once after `delay_ms` whole milliseconds. True if
/// it was refused, because the worker has as many as it may.
#[op2(fast)]
pub fn op_timers_start(state: &mut OpState, timer: u32, delay_ms: f64) -> bool {
    // A float beyond the range saturates, and what is no number is 0.
    !state.borrow::<Rc<Instance>>().timer_start(timer, delay_ms as u64)
}

/// Stops a timer that has not fired yet.
#[op2(fast)]
pub fn op_timers_stop(state: &mut OpState, timer: u32) {
    state.borrow::<Rc<Instance>>().timer_stop(timer);
}
