//! The app host: what an operator or an agent does to apps, over REST on the admin listener.
//!
//! [`Admin`] is an entrypoint, so any listener can serve it. It knows no sockets and no V8: it
//! checks who asks and what is asked, keeps the [`Catalogue`] of apps, and leaves running them
//! to an [`AppHost`].

#![forbid(unsafe_code)]

mod access;
mod app_limits;
pub mod catalogue;
mod clock;
mod deployment;
pub mod error;
pub mod host;
pub mod name;
pub mod objects;
mod refusal;
pub mod rest;
pub mod token;

pub use catalogue::{App, Catalogue};
pub use error::Error;
pub use host::{AppHost, DeployError, Deployed, Deployment, Rejection};
pub use name::AppName;
pub use rest::{Admin, AdminConfig};
pub use token::Token;
