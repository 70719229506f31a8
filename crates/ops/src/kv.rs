//! `ctx.storage.kv`: values by key in the actor's own database.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{GarbageCollected, OpState, cppgc, op2, v8};
use storage::{Database, KvCursor, KvList};
use worker::error::Error;
use worker::writes::Confirmation;

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

/// The values under keys, `[key, value, key, value …]` in the order of the keys' bytes; keys
/// without a value are left out.
#[op2]
pub fn op_kv_get_many<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    actor: u32,
    keys: v8::Local<'s, v8::Array>,
) -> Result<v8::Local<'s, v8::Array>, JsError> {
    let mut keys = texts(scope, keys);
    keys.sort_unstable();
    keys.dedup();
    let mut found = Vec::new();
    for key in keys {
        let value = with_database(state, actor, |database| database.kv_get(&key))?;
        found.extend(value.map(|value| (key, value)));
    }
    entries(scope, found)
}

/// Stores a clone of the value. If `is_unconfirmed`, messages do not wait for it.
#[op2(nofast, reentrant)]
pub fn op_kv_put(
    scope: &mut v8::PinScope<'_, '_>,
    state: Rc<RefCell<OpState>>,
    actor: u32,
    #[string] key: &str,
    value: v8::Local<'_, v8::Value>,
    is_unconfirmed: bool,
) -> Result<(), JsError> {
    let bytes = serialize(scope, value, Instances::Flatten)?;
    let put = |database: &Database| database.kv_put(key, &bytes);
    write_database(&state.borrow(), actor, is_unconfirmed, put)
}

/// Stores clones of the values of `[key, value, key, value …]`, or none of them.
#[op2(nofast, reentrant)]
pub fn op_kv_put_many(
    scope: &mut v8::PinScope<'_, '_>,
    state: Rc<RefCell<OpState>>,
    actor: u32,
    entries: v8::Local<'_, v8::Array>,
    is_unconfirmed: bool,
) -> Result<(), JsError> {
    let mut values = Vec::with_capacity(entries.length() as usize / 2);
    for index in (0..entries.length()).step_by(2) {
        let (key, value) = (entries.get_index(scope, index), entries.get_index(scope, index + 1));
        let (Some(key), Some(value)) = (key, value) else { continue };
        let value = serialize(scope, value, Instances::Flatten)?;
        values.push((key.to_rust_string_lossy(scope), value));
    }
    if values.is_empty() {
        return Ok(());
    }
    let put = |database: &Database| database.kv_put_all(&values);
    write_database(&state.borrow(), actor, is_unconfirmed, put)
}

/// Removes a key; whether there was one.
#[op2(fast)]
pub fn op_kv_delete(
    state: &mut OpState,
    actor: u32,
    #[string] key: &str,
    is_unconfirmed: bool,
) -> Result<bool, JsError> {
    write_database(state, actor, is_unconfirmed, |database| database.kv_delete(key))
}

/// Removes keys; how many there were.
#[op2(nofast)]
pub fn op_kv_delete_many(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    actor: u32,
    keys: v8::Local<'_, v8::Array>,
    is_unconfirmed: bool,
) -> Result<u32, JsError> {
    let keys = texts(scope, keys);
    write_database(state, actor, is_unconfirmed, |database| {
        keys.iter().try_fold(0, |count, key| Ok(count + u32::from(database.kv_delete(key)?)))
    })
}

/// All entries of a list at once, `[key, value, key, value …]`; arguments as `op_kv_list`.
#[op2]
#[allow(clippy::too_many_arguments)]
pub fn op_kv_entries<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    actor: u32,
    #[string] start: Option<String>,
    #[string] start_after: Option<String>,
    #[string] end: Option<String>,
    #[string] prefix: Option<String>,
    reverse: bool,
    limit: f64,
) -> Result<v8::Local<'s, v8::Array>, JsError> {
    let list = KvList { start, start_after, end, prefix, reverse, limit: limit_of(limit) };
    let mut cursor = with_database(state, actor, |database| database.kv_list(&list))?;
    let mut found = Vec::new();
    while let Some(entry) = cursor.next()? {
        found.push(entry);
    }
    entries(scope, found)
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
    let list = KvList { start, start_after, end, prefix, reverse, limit: limit_of(limit) };
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

/// A limit beyond 2^53 is no limit; the cast saturates.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn limit_of(limit: f64) -> Option<u64> {
    (limit >= 0.0).then_some(limit as u64)
}

fn texts(scope: &v8::PinScope<'_, '_>, list: v8::Local<'_, v8::Array>) -> Vec<String> {
    let items = (0..list.length()).filter_map(|index| list.get_index(scope, index));
    items.map(|item| item.to_rust_string_lossy(scope)).collect()
}

fn entries<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    found: Vec<(String, Vec<u8>)>,
) -> Result<v8::Local<'s, v8::Array>, JsError> {
    let mut items = Vec::with_capacity(found.len() * 2);
    for (key, value) in found {
        items.push(v8_text(scope, &key));
        items.push(deserialize(scope, &value)?);
    }
    Ok(v8::Array::new_with_elements(scope, &items))
}

/// Uses the database of an actor of this isolate.
pub(crate) fn with_database<R>(
    state: &OpState,
    actor: u32,
    f: impl FnOnce(&Database) -> Result<R, storage::Error>,
) -> Result<R, JsError> {
    write_database(state, actor, false, f)
}

fn write_database<R>(
    state: &OpState,
    actor: u32,
    is_unconfirmed: bool,
    f: impl FnOnce(&Database) -> Result<R, storage::Error>,
) -> Result<R, JsError> {
    let actor = instance(state).actor(actor).ok_or_else(JsError::actor_gone)?;
    let confirmation = match is_unconfirmed {
        true => Confirmation::Unconfirmed,
        false => Confirmation::Confirmed,
    };
    let result = actor.write_database(confirmation, f)?;
    if let Err(error) = &result
        && error.breaks_actor()
    {
        actor.break_with(&Error::from(error.clone()));
    }
    Ok(result?)
}
