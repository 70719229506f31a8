//! What holds actors in memory, as their isolate sees it.

use deno_core::{OpState, op2, v8};

use crate::dispatch::instance;

/// More or fewer things are held by name.
#[op2(fast)]
pub fn op_eviction_hold(state: &mut OpState, change: i32) {
    instance(state).held(change);
}

/// The actors that something in the isolate holds.
#[op2(nofast)]
pub fn op_eviction_surveyed(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    held: v8::Local<'_, v8::Array>,
) {
    let actors = (0..held.length()).filter_map(|index| held.get_index(scope, index));
    let actors: Vec<u32> = actors.filter_map(|actor| actor.uint32_value(scope)).collect();
    instance(state).surveyed(actors);
}
