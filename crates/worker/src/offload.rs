//! Work that takes long and needs no isolate, on threads that may wait.

use std::rc::Rc;
use std::sync::LazyLock;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::error::{Error, Thrown};
use crate::instance::{Instance, Payload};
use crate::limits::OFFLOADED_MAX;

static PERMITS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(OFFLOADED_MAX));

/// Settles promise `slot` with the bytes that `work` makes, or with null. Beyond
/// [`OFFLOADED_MAX`] at a time in the process it waits for its turn; a worker that is gone
/// meanwhile does not begin.
pub fn offload(
    instance: &Rc<Instance>,
    slot: u32,
    work: impl FnOnce() -> Option<Vec<u8>> + Send + 'static,
) {
    instance.defer(slot, async move {
        let permit = PERMITS.acquire().await.map_err(|_| failed())?;
        let made = spawn_blocking(work).await.map_err(|_| failed())?;
        drop(permit);
        Ok(made.map_or(Payload::Null, |bytes| Payload::Bytes(bytes.into())))
    });
}

fn failed() -> Error {
    let text = "The operation failed for an operation-specific reason".to_owned();
    Error::AppThrew(Thrown::new("OperationError".to_owned(), text).into())
}
