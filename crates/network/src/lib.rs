//! Bytes to events and back: sockets, HTTP/1.1 and HTTP/2, and which app a URL belongs to.
//!
//! The only crate that names hyper. It knows entrypoints, never what stands behind them: a
//! [`Listener`] serves any [`worker::entrypoint::Entrypoint`], and [`Public`] is the one that
//! picks the app by host name or path.

#![forbid(unsafe_code)]

pub mod bucket;
pub mod client;
mod connection;
mod connector;
pub mod egress;
pub mod error;
pub mod handover;
pub mod limits;
pub mod listener;
mod pace;
mod request;
mod response;
pub mod router;
mod socket;
mod websocket;

pub use bucket::BucketConnector;
pub use client::Gateway;
pub use egress::Egress;
pub use error::Error;
pub use limits::HttpLimits;
pub use listener::Listener;
pub use router::{Public, Resolve, Route, Router};

#[cfg(test)]
mod tests;
