//! Why a listener could not start; every variant is for the operator to mend.

use std::io;
use std::net::SocketAddr;

/// A listener that did not come up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process, or another listener of this one, has the port.
    #[error(
        "cannot listen on {addr}: the port is in use; stop the process that has it or choose \
         another port (0 takes any free one)"
    )]
    ConfigPortInUse {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// The system does not let this user have the port.
    #[error(
        "cannot listen on {addr}: permission denied; choose a port of 1024 or above, or grant \
         the right to bind low ports"
    )]
    ConfigPermission {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// The address belongs to no interface of this machine.
    #[error("cannot listen on {addr}: this machine has no such address; choose another host")]
    ConfigAddress {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// The system refused for another reason.
    #[error("cannot listen on {addr}: {cause}")]
    ConfigListen {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

impl Error {
    /// Names what the system said about an attempt to listen on `addr`.
    pub(crate) fn listen(addr: SocketAddr, cause: io::Error) -> Error {
        match cause.kind() {
            io::ErrorKind::AddrInUse => Error::ConfigPortInUse { addr },
            io::ErrorKind::PermissionDenied => Error::ConfigPermission { addr },
            io::ErrorKind::AddrNotAvailable => Error::ConfigAddress { addr },
            _ => Error::ConfigListen { addr, cause },
        }
    }
}
