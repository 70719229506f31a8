//! Bookmarks of `ctx.storage`: states of the actor's database in the past.

use deno_core::{OpState, op2};
use storage::Database;
use tokio::sync::oneshot;
use worker::error::Error;
use worker::instance::Payload;

use crate::dispatch::instance;
use crate::error::JsError;
use crate::kv::with_database;

/// The bookmark of the state that the writes so far lead to.
#[op2]
#[string]
pub fn op_bookmarks_current(state: &mut OpState, actor: u32) -> Result<String, JsError> {
    with_database(state, actor, Database::current_bookmark)
}

/// The bookmark of the newest state at a time, in milliseconds.
#[op2]
#[string]
pub fn op_bookmarks_at(state: &mut OpState, actor: u32, time_ms: f64) -> Result<String, JsError> {
    // JavaScript has checked that it is finite and not negative; the cast cuts what is too large.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let time_ms = time_ms as u64;
    with_database(state, actor, |database| database.bookmark_for_time(time_ms))
}

/// Brings back what a recovery needs; true if promise `slot` is settled once it is there.
#[op2(fast)]
pub fn op_bookmarks_fetch(
    state: &mut OpState,
    actor: u32,
    #[string] bookmark: &str,
    slot: u32,
) -> Result<bool, JsError> {
    let (sender, fetched) = oneshot::channel();
    let on_fetched = Box::new(move |outcome| drop(sender.send(outcome)));
    let is_fetching =
        with_database(state, actor, |database| database.fetch_state(bookmark, on_fetched))?;
    if is_fetching {
        instance(state).defer(slot, async move {
            let stopped = || Err(Error::reset("The worker was stopped."));
            fetched.await.map_or_else(|_| stopped(), |outcome| Ok(outcome?))?;
            Ok(Payload::Undefined)
        });
    }
    Ok(is_fetching)
}

/// Lets the next instance begin from the state of a bookmark; returns the one that undoes it.
#[op2]
#[string]
pub fn op_bookmarks_restore(
    state: &mut OpState,
    actor: u32,
    #[string] bookmark: &str,
) -> Result<String, JsError> {
    with_database(state, actor, |database| database.restore_at_next_open(bookmark))
}
