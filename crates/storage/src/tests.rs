//! Tests of whole databases, and what the tests of this crate share.

mod archive;
mod crash;
mod durability;
mod fixture;
mod folder;
mod history;
mod key_values;
pub(crate) mod kill;
mod model;
mod power;
mod power_of_logs;
mod reset;
pub(crate) mod sim;
mod sim_vfs;
mod sql;
mod texts;
mod transactions;

pub(crate) use fixture::{Fixture, number, rows};
pub(crate) use folder::Folder;
