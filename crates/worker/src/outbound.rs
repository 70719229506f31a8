//! What a worker's global `fetch()` reaches, and the way to the internet that is handed down to
//! this crate, which knows no sockets (`spec/workers.md` §1.7).

use std::rc::Rc;

use crate::capability::{Arrived, Capability};
use crate::entrypoint::Entrypoint;
use crate::error::{Error, Thrown};
use crate::instance::Instance;

/// What the global `fetch()` of a worker reaches (WL-32).
#[derive(Debug, Clone, Default)]
pub enum Outbound {
    /// Nothing: every use throws.
    #[default]
    Denied,
    /// The internet, as far as the operator's rules for it go.
    Internet,
    /// The `fetch` handler of an entrypoint or Durable Object.
    Stub(Capability),
}

/// Opens ways to the internet; implemented where sockets are.
pub trait Internet: Send + Sync {
    /// A way for one worker on the calling shard. Connections are not shared with any other
    /// worker: what one of them keeps open can neither be seen nor disturbed by another.
    fn open(&self) -> Rc<dyn Entrypoint>;
}

impl Instance {
    /// Where the global `fetch()` of this worker goes (WL-32).
    ///
    /// # Errors
    /// What every use of it fails with.
    pub fn outbound(&self) -> Result<Rc<dyn Entrypoint>, Error> {
        match &self.code.outbound {
            Outbound::Denied => Err(denied()),
            Outbound::Internet => {
                Ok(Rc::clone(self.outbound.get_or_init(|| self.shard().internet().open())))
            }
            Outbound::Stub(capability) => {
                let Arrived::Entrypoint(entrypoint) = capability.arrive(self.shard()) else {
                    return Err(denied());
                };
                Ok(Rc::clone(self.outbound.get_or_init(|| entrypoint)))
            }
        }
    }
}

fn denied() -> Error {
    let message = "This worker is not permitted to access the internet via global functions \
                   like fetch(). It must use capabilities (such as bindings in 'env') to talk \
                   to the outside world.";
    Error::AppThrew(Thrown::new("Error", message).into())
}
