//! Tests of whole databases, and what the tests of this crate share.

mod crash;
mod durability;
mod fixture;
mod folder;
mod key_values;
mod kill;
mod model;
mod sql;
mod texts;
mod transactions;

pub(crate) use fixture::{Fixture, number, rows};
pub(crate) use folder::Folder;
