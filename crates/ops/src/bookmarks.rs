//! Bookmarks of `ctx.storage`: states of the actor's database in the past.

use deno_core::{OpState, op2};
use storage::Database;

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
