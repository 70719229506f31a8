//! A limit that was passed: how much it is, what was used, and what ran.
//!
//! The frames are taken amid JavaScript that is to end, so nothing here calls into it: what a frame
//! is called is read, not asked for.

use std::fmt::Write;
use std::sync::Arc;

use deno_core::v8;

use crate::loader::module_name;

/// One limit that was passed, for whoever has to mend it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Breach {
    /// How much the limit is.
    pub limit: u64,
    /// What was used of it when it was noticed, in the same unit.
    pub used: u64,
    /// The innermost frames of user code that ran, a line each; `None` where none ran or where it
    /// cannot be known.
    pub place: Option<Arc<str>>,
}

/// The only context of an isolate, where the isolate itself finds it.
pub(crate) struct MainContext(pub v8::Global<v8::Context>);

/// The frames of user code that run on an isolate now, the innermost first.
pub(crate) fn running(isolate: &mut v8::Isolate) -> Option<Arc<str>> {
    let context = isolate.get_slot::<MainContext>()?.0.clone();
    v8::scope!(let scope, isolate);
    let context = v8::Local::new(scope, context);
    let scope = &mut v8::ContextScope::new(scope, context);
    let trace = v8::StackTrace::current_stack_trace(scope, FRAMES_SEEN)?;
    let frames = (0..trace.get_frame_count()).filter_map(|index| trace.get_frame(scope, index));
    let mut text = String::new();
    for frame in frames {
        let script = frame.get_script_name(scope).map(|name| name.to_rust_string_lossy(scope));
        // What has no name of an author is ours.
        let Some(module) = script.as_deref().and_then(module_name) else { continue };
        let function = frame.get_function_name(scope).map(|name| name.to_rust_string_lossy(scope));
        let function = function.unwrap_or_default();
        let function: String = function.chars().take(NAME_CHARS_MAX).collect();
        let (line, column) = (frame.get_line_number(), frame.get_column());
        let separator = if text.is_empty() { "" } else { "\n" };
        // Writing to a string does not fail.
        let _ = match function.is_empty() {
            true => write!(text, "{separator}at {module}:{line}:{column}"),
            false => write!(text, "{separator}at {function} ({module}:{line}:{column})"),
        };
        if text.len() > PLACE_BYTES {
            break;
        }
    }
    (!text.is_empty()).then(|| text.into())
}

/// Frames that are looked at, those of the runtime among them.
const FRAMES_SEEN: usize = 24;

/// No frame is added once the text has this many bytes.
const PLACE_BYTES: usize = 1_024;

/// Characters of a function's name, which code can make as long as it likes.
const NAME_CHARS_MAX: usize = 100;
