//! A sync that failed is the business of the whole process.
//!
//! The kernel may forget what it could not write, keep it in memory as if it were written, and call
//! the next sync a success. So nothing that was not acknowledged by then may be trusted in this
//! process: it should end. The next one writes the logs it finds once more before it believes them
//! ([`crate::durability`]). A disk that is full is no reason to end: others go on, and the object
//! that met it breaks.

use std::io::{self, ErrorKind};
use std::sync::OnceLock;

use crate::error::Error;

type Observer = Box<dyn Fn(&Error) + Send + Sync>;

static OBSERVER: OnceLock<Observer> = OnceLock::new();

/// Has `observer` called, on any thread, when a sync failed for another reason than a full disk.
/// It must not block. The first observer of the process stays.
pub fn on_lost_sync(observer: impl Fn(&Error) + Send + Sync + 'static) {
    // A second one would be a defect of the caller, and does no harm.
    let _ = OBSERVER.set(Box::new(observer));
}

/// Tells the observer.
pub(crate) fn report(error: &Error, cause: &io::Error) {
    let is_full = matches!(cause.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    if let Some(observer) = OBSERVER.get().filter(|_| !is_full) {
        observer(error);
    }
}
