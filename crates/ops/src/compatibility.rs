//! The compatibility flags of the worker that asks.

use deno_core::{OpState, op2, v8};

use crate::dispatch::instance;
use crate::request::v8_text;

/// True if the flag with this enabling name is on.
#[op2(fast)]
pub fn op_compatibility_has(state: &mut OpState, #[string] name: &str) -> bool {
    instance(state).code.compatibility.has(name)
}

/// All flags: `[name, whether it is on, …]`.
#[op2]
pub fn op_compatibility_all<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
) -> v8::Local<'s, v8::Array> {
    let compatibility = instance(state).code.compatibility;
    let mut all = Vec::new();
    for (name, is_on) in compatibility.all() {
        all.push(v8_text(scope, name));
        all.push(v8::Boolean::new(scope, is_on).into());
    }
    v8::Array::new_with_elements(scope, &all)
}
