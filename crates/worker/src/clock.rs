//! Time as alarms and eviction see it: one door.

use std::time::{SystemTime, UNIX_EPOCH};

/// The clock of the process. It follows the system's, so alarms and `Date.now()` agree.
#[derive(Debug, Default)]
pub struct Clock {}

impl Clock {
    /// Milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}
