//! `ctx.storage` as a whole: explicit transactions, `sync` and `deleteAll`.

use std::rc::Rc;

use deno_core::{OpState, op2};
use worker::actor::Actor;
use worker::error::Error;
use worker::instance::Payload;

use crate::dispatch::instance;
use crate::error::JsError;

/// Opens an explicit transaction; gives its depth, 1 for the outermost. 0 if it must be tried
/// again once promise `slot` is settled.
#[op2(fast)]
pub fn op_storage_begin(state: &mut OpState, actor: u32, slot: u32) -> Result<u32, JsError> {
    let actor = find(state, actor)?;
    match actor.begin_transaction()? {
        Some(depth) => Ok(u32::try_from(depth).unwrap_or(u32::MAX)),
        None => {
            settle_when_durable(state, &actor, slot);
            Ok(0)
        }
    }
}

/// Keeps what the transaction of this depth did. A failure resets the actor.
#[op2(fast)]
pub fn op_storage_commit(state: &mut OpState, actor: u32, depth: u32) -> Result<(), JsError> {
    Ok(find(state, actor)?.commit_transaction(depth as usize)?)
}

/// Takes back what the transaction of this depth did.
#[op2(fast)]
pub fn op_storage_roll_back(state: &mut OpState, actor: u32, depth: u32) -> Result<(), JsError> {
    Ok(find(state, actor)?.roll_back_transaction(depth as usize)?)
}

/// True if everything written so far is durable, else promise `slot` is settled when it is.
#[op2(fast)]
pub fn op_storage_sync(state: &mut OpState, actor: u32, slot: u32) -> Result<bool, JsError> {
    Ok(!settle_when_durable(state, &*find(state, actor)?, slot))
}

/// Erases everything the actor and its facets stored.
#[op2(fast)]
pub fn op_storage_delete_all(state: &mut OpState, actor: u32) -> Result<(), JsError> {
    Ok(find(state, actor)?.delete_all()?)
}

/// Settles promise `slot` when everything written so far is durable; false if it is.
fn settle_when_durable(state: &OpState, actor: &Actor, slot: u32) -> bool {
    let Some(durable) = actor.sync() else { return false };
    instance(state).defer(slot, async move {
        let stopped = || Error::reset("The worker was stopped.");
        durable.await.unwrap_or_else(|_| Err(stopped()))?;
        Ok(Payload::Undefined)
    });
    true
}

fn find(state: &OpState, actor: u32) -> Result<Rc<Actor>, JsError> {
    instance(state).actor(actor).ok_or_else(JsError::actor_gone)
}
