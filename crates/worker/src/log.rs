//! Lines of a worker's log, on their way to the operator: in bounds, and such that no worker can
//! write what looks like another's line.

use std::borrow::Cow;
use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::code::WorkerLimits;
use crate::instance::Instance;
use crate::limits::{LOG_BYTES_PER_SECOND, LOG_LINE_BYTES_MAX};

/// How loud a line of a worker's log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// `console.debug`.
    Debug,
    /// `console.log`, `console.info`.
    Info,
    /// `console.warn`.
    Warn,
    /// `console.error`, and what nobody caught.
    Error,
}

/// How much a worker has written of late.
#[derive(Default)]
pub(crate) struct LogPace {
    second: Cell<Option<Instant>>,
    bytes: Cell<usize>,
    dropped: Cell<u64>,
}

impl LogPace {
    /// Whether so many bytes may be written, and how many lines were dropped before.
    fn admit(&self, bytes: usize, bytes_max: usize, now: Instant) -> Option<u64> {
        let is_new = self.second.get().is_none_or(|second| now - second >= Duration::from_secs(1));
        if is_new {
            self.second.set(Some(now));
            self.bytes.set(0);
        }
        self.bytes.set(self.bytes.get().saturating_add(bytes));
        if self.bytes.get() > bytes_max {
            self.dropped.set(self.dropped.get() + 1);
            return None;
        }
        Some(self.dropped.take())
    }
}

impl Instance {
    /// Writes a line of the worker's log, with the app, its version and the request it
    /// belongs to.
    pub fn log(&self, event: u32, level: LogLevel, text: String) {
        let text = cut(&text);
        let bytes_max = WorkerLimits::lower(self.code.limits.log_bytes, LOG_BYTES_PER_SECOND);
        let admitted = self.log_pace.admit(text.len(), bytes_max, Instant::now());
        let Some(dropped) = admitted else { return };
        let request = self.events.borrow().request(event).map(|id| id.to_string());
        let request = request.unwrap_or_default();
        let name: &str = &self.code.name;
        let (app, version) = name.split_once('@').unwrap_or((name, ""));
        if dropped > 0 {
            tracing::warn!(target: "app", app, version, dropped, "lines of log were dropped");
        }
        let text = printable(text);
        match level {
            LogLevel::Debug => tracing::debug!(target: "app", app, version, request, "{text}"),
            LogLevel::Info => tracing::info!(target: "app", app, version, request, "{text}"),
            LogLevel::Warn => tracing::warn!(target: "app", app, version, request, "{text}"),
            LogLevel::Error => tracing::error!(target: "app", app, version, request, "{text}"),
        }
    }
}

/// At most as many bytes as a line may have.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LOG_LINE_BYTES_MAX)]
}

/// Lines after the first are indented, and other characters that a terminal would obey are written
/// as escapes.
fn printable(text: &str) -> Cow<'_, str> {
    let is_harmless = |char: char| !char.is_control() && !matches!(char, '\u{2028}' | '\u{2029}');
    if text.chars().all(is_harmless) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for char in text.trim_end_matches('\n').chars() {
        match char {
            '\n' => safe.push_str("\n    "),
            '\t' => safe.push('\t'),
            _ if is_harmless(char) => safe.push(char),
            _ => safe.extend(char.escape_unicode()),
        }
    }
    safe.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cannot_pretend_to_be_several() {
        assert_eq!(printable("plain \u{e9}"), "plain \u{e9}");
        assert_eq!(printable("a\nERROR forged\n"), "a\n    ERROR forged");
        assert_eq!(printable("\u{1b}]0;x\u{7}\r\0"), "\\u{1b}]0;x\\u{7}\\u{d}\\u{0}");
        assert_eq!(printable("\u{2028}"), "\\u{2028}");
    }

    #[test]
    fn a_flood_is_cut_and_counted() {
        let (pace, now) = (LogPace::default(), Instant::now());
        let admit = |bytes, now| pace.admit(bytes, 1_000, now);
        assert_eq!(admit(1_000, now), Some(0));
        assert_eq!(admit(1, now), None);
        assert_eq!(admit(1, now), None);
        assert_eq!(admit(1, now + Duration::from_secs(1)), Some(2));
        assert_eq!(admit(1, now + Duration::from_secs(1)), Some(0));
        let long = "\u{e9}".repeat(LOG_LINE_BYTES_MAX);
        assert!(
            cut(&long).len() <= LOG_LINE_BYTES_MAX && cut(&long).len() > LOG_LINE_BYTES_MAX - 2
        );
    }
}
