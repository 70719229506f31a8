//! `ctx.storage.kv`: values by key in the actor's own database.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{GarbageCollected, OpState, cppgc, op2, v8};
use storage::{Database, KvCursor, KvList};
use worker::error::Error;

use crate::dispatch::instance;
use crate::error::JsError;
use crate::request::v8_text;
use crate::serialize::{Instances, deserialize, serialize};

/// A running `list()`.
pub struct ListHandle {
    cursor: RefCell<KvCursor>,
}

// SAFETY: nothing in a handle points into V8's heap, so there is nothing to trace.
unsafe impl GarbageCollected for ListHandle {
    fn trace(&self, _visitor: &mut v8::cppgc::Visitor) {}

    fn get_name(&self) -> &'static std::ffi::CStr {
        c"ListHandle"
    }
}

/// The value under a key, or undefined.
#[op2]
pub fn op_kv_get<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    actor: u32,
    #[string] key: &str,
) -> Result<v8::Local<'s, v8::Value>, JsError> {
    match with_database(state, actor, |database| database.kv_get(key))? {
        Some(bytes) => deserialize(scope, &bytes),
        None => Ok(v8::undefined(scope).into()),
    }
}

/// Stores a clone of the value.
#[op2(nofast, reentrant)]
pub fn op_kv_put(
    scope: &mut v8::PinScope<'_, '_>,
    state: Rc<RefCell<OpState>>,
    actor: u32,
    #[string] key: &str,
    value: v8::Local<'_, v8::Value>,
) -> Result<(), JsError> {
    let bytes = serialize(scope, value, Instances::Flatten)?;
    with_database(&state.borrow(), actor, |database| database.kv_put(key, &bytes))
}

/// Removes a key; whether there was one.
#[op2(fast)]
pub fn op_kv_delete(state: &mut OpState, actor: u32, #[string] key: &str) -> Result<bool, JsError> {
    with_database(state, actor, |database| database.kv_delete(key))
}

/// Starts a list; null bounds are open, a negative limit is none.
#[op2]
#[allow(clippy::too_many_arguments)]
pub fn op_kv_list<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    actor: u32,
    #[string] start: Option<String>,
    #[string] start_after: Option<String>,
    #[string] end: Option<String>,
    #[string] prefix: Option<String>,
    reverse: bool,
    limit: f64,
) -> Result<v8::Local<'s, v8::Object>, JsError> {
    // A limit beyond 2^53 is no limit; the cast saturates.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let limit = (limit >= 0.0).then_some(limit as u64);
    let list = KvList { start, start_after, end, prefix, reverse, limit };
    let cursor = with_database(state, actor, |database| database.kv_list(&list))?;
    let handle = ListHandle { cursor: RefCell::new(cursor) };
    Ok(cppgc::make_cppgc_object(scope, handle))
}

/// The next entry of a list, `[key, value]`, or undefined at the end.
#[op2]
pub fn op_kv_next<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] list: &ListHandle,
) -> Result<v8::Local<'s, v8::Value>, JsError> {
    let Some((key, bytes)) = list.cursor.borrow_mut().next()? else {
        return Ok(v8::undefined(scope).into());
    };
    let key = v8_text(scope, &key);
    let value = deserialize(scope, &bytes)?;
    Ok(v8::Array::new_with_elements(scope, &[key, value]).into())
}

/// Uses the database of an actor of this isolate.
pub(crate) fn with_database<R>(
    state: &OpState,
    actor: u32,
    f: impl FnOnce(&Database) -> Result<R, storage::Error>,
) -> Result<R, JsError> {
    let actor = instance(state).actor(actor).ok_or_else(JsError::actor_gone)?;
    let result = Rc::clone(&actor).with_database(f)?;
    if let Err(error) = &result
        && error.breaks_actor()
    {
        actor.break_with(&Error::from(error.clone()));
    }
    Ok(result?)
}
