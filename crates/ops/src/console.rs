//! Where `console` writes.

use std::rc::Rc;

use deno_core::{OpState, op2};
use worker::instance::{Instance, LogLevel};

/// Logs one entry of an event; `level` counts debug, info, warn, error from 0.
#[op2(fast)]
pub fn op_console_write(state: &mut OpState, event: u32, level: u32, #[string] text: String) {
    let level = match level {
        0 => LogLevel::Debug,
        2 => LogLevel::Warn,
        3 => LogLevel::Error,
        _ => LogLevel::Info,
    };
    state.borrow::<Rc<Instance>>().log(event, level, text);
}
