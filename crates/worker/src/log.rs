//! Lines of a worker's log, on their way to the operator.

use crate::instance::Instance;

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

impl Instance {
    /// Writes a line of the worker's log, with the app, its version and the request it
    /// belongs to.
    pub fn log(&self, event: u32, level: LogLevel, text: String) {
        let request = self.events.borrow().request(event).map(|id| id.to_string());
        let request = request.unwrap_or_default();
        let name: &str = &self.code.name;
        let (app, version) = name.split_once('@').unwrap_or((name, ""));
        match level {
            LogLevel::Debug => tracing::debug!(target: "app", app, version, request, "{text}"),
            LogLevel::Info => tracing::info!(target: "app", app, version, request, "{text}"),
            LogLevel::Warn => tracing::warn!(target: "app", app, version, request, "{text}"),
            LogLevel::Error => tracing::error!(target: "app", app, version, request, "{text}"),
        }
    }
}
