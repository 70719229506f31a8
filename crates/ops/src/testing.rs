//! What only `beryl test` has: the end of a test, and what tests do to the process.

use std::rc::Rc;

use deno_core::{OpState, op2, v8};
use worker::actor_id::ActorId;
use worker::instance::Payload;

use crate::dispatch::instance;
use crate::error::JsError;

/// A test has passed, or the question which exports have one is answered.
#[op2(nofast)]
pub fn op_testing_ended(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    event: u32,
    names: v8::Local<'_, v8::Array>,
) {
    let all = (0..names.length()).filter_map(|index| names.get_index(scope, index));
    let all = all.map(|name| name.to_rust_string_lossy(scope)).collect();
    instance(state).end_test(event, all);
}

/// Collects all garbage.
#[op2(nofast)]
pub fn op_testing_collect(scope: &mut v8::PinScope<'_, '_>) {
    scope.low_memory_notification();
}

/// Moves the clock of alarms and eviction forward; promise `slot` is settled once everything that
/// is due then has begun.
#[op2(fast)]
pub fn op_testing_advance(state: &mut OpState, slot: u32, ms: f64) {
    let instance = instance(state);
    let shard = Rc::clone(instance.shard());
    instance.defer(slot, async move {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked in JS"
        )]
        shard.advance_clock(ms as u64).await?;
        Ok(Payload::Undefined)
    });
}

/// Lets an object leave memory; false if it is not there or is busy.
#[op2(fast)]
pub fn op_testing_evict(
    state: &mut OpState,
    #[string] key: &str,
    #[string] id: &str,
) -> Result<bool, JsError> {
    let id = ActorId::parse(key, id)?;
    Ok(instance(state).shard().evict_object(key, &id))
}
