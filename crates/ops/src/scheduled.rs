//! Runs of `scheduled()`.

use deno_core::{OpState, op2, v8};

use crate::dispatch::instance;
use crate::request::v8_text;

/// What a run is told: `[cron, scheduledTime]`.
#[op2]
#[allow(clippy::cast_precision_loss, reason = "times fit into 53 bits")]
pub fn op_scheduled_take<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    event: u32,
) -> v8::Local<'s, v8::Array> {
    let (cron, time_ms) = match instance(state).scheduled_run(event) {
        Some(run) => (run.cron, run.time_ms),
        None => (String::new(), 0),
    };
    let time = v8::Number::new(scope, time_ms as f64).into();
    let cron = v8_text(scope, &cron);
    v8::Array::new_with_elements(scope, &[cron, time])
}

/// The handler is done.
#[op2(fast)]
pub fn op_scheduled_end(state: &mut OpState, event: u32) {
    instance(state).scheduled_ended(event);
}
