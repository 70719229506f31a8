//! Apps whose code ended a worker process: refused until their back-off is over
//! (`spec/security.md` §1.4, §8.3).
//!
//! Whoever starts the process hands the list in, since the process that was ended cannot. A new
//! deployment takes an app off it: it may be the mend.
//!
//! Some apps live in another process for a while, with their data; this one hands on what comes for
//! them.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::error::Error;

/// Who is refused, and until when in milliseconds since 1970.
#[derive(Debug, Default)]
pub struct Quarantine {
    is_used: AtomicBool,
    until_ms: Mutex<HashMap<String, u64>>,
    /// The roots that live in another process, by their ids.
    away: HashSet<[u8; 32]>,
}

impl Quarantine {
    /// A quarantine of these apps.
    #[must_use]
    pub fn new(until_ms: HashMap<String, u64>) -> Quarantine {
        let is_used = (!until_ms.is_empty()).into();
        Quarantine { is_used, until_ms: until_ms.into(), away: HashSet::new() }
    }

    /// The same, with roots whose data belongs to another process as long as this one lives.
    #[must_use]
    pub fn with_away(self, away: impl IntoIterator<Item = [u8; 32]>) -> Quarantine {
        Quarantine { away: away.into_iter().collect(), ..self }
    }

    /// True if a root lives in another process: its files must not be touched.
    #[must_use]
    pub fn is_away(&self, id: &[u8; 32]) -> bool {
        !self.away.is_empty() && self.away.contains(id)
    }

    /// Refuses an app whose back-off is not over.
    ///
    /// # Errors
    /// [`Error::OverloadQuarantine`].
    pub fn check(&self, app: &str, now_ms: u64) -> Result<(), Error> {
        if !self.is_used.load(Ordering::Relaxed) {
            return Ok(());
        }
        let until_ms = self.until_ms.lock().unwrap_or_else(PoisonError::into_inner);
        match until_ms.get(app) {
            Some(until_ms) if *until_ms > now_ms => {
                Err(Error::OverloadQuarantine { retry_after_s: (until_ms - now_ms).div_ceil(1000) })
            }
            _ => Ok(()),
        }
    }

    /// Takes an app off the list.
    pub fn pardon(&self, app: &str) {
        self.until_ms.lock().unwrap_or_else(PoisonError::into_inner).remove(app);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_refused_until_its_time_is_over_or_it_is_pardoned() {
        let quarantine =
            Quarantine::new([("bad".to_owned(), 5_000), ("worse".to_owned(), 9_000)].into());
        let refused = |app, now_ms| match quarantine.check(app, now_ms) {
            Err(Error::OverloadQuarantine { retry_after_s }) => Some(retry_after_s),
            _ => None,
        };
        assert_eq!(refused("bad", 3_999), Some(2));
        assert_eq!(refused("bad", 5_000), None);
        assert_eq!(refused("good", 0), None);
        assert_eq!(refused("worse", 8_999), Some(1));
        quarantine.pardon("worse");
        assert_eq!(refused("worse", 0), None);
    }
}
