//! Where `console` writes.

use std::rc::Rc;

use deno_core::{OpState, op2};
use worker::instance::{Instance, LogLevel};

/// True if tail workers hear what is logged.
#[op2(fast)]
pub fn op_console_is_traced(state: &mut OpState) -> bool {
    state.borrow::<Rc<Instance>>().is_traced()
}

/// Lets tail workers hear one entry: its values, and the errors among them, as JSON arrays.
#[op2(fast)]
pub fn op_console_trace(
    state: &mut OpState,
    event: u32,
    #[string] level: &str,
    #[string] message: &str,
    #[string] errors: &str,
) {
    state.borrow::<Rc<Instance>>().trace_log(event, level, message, errors);
}

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
