//! Workers, actors and facets: what runs, where it runs, and what reaches it.
//!
//! A [`shard::Shard`] is one OS thread with its isolates, actors and databases. Everything
//! that can be called implements [`entrypoint::Entrypoint`]. This crate knows neither sockets
//! nor the names of ops nor the JavaScript that drives an isolate from within.

pub mod abort;
pub mod actor;
pub mod actor_alarm;
pub mod actor_id;
mod actor_table;
pub mod alarm;
mod alarm_events;
pub mod alarm_index;
mod alarms;
pub mod bindings;
pub mod body;
pub mod capability;
pub mod census;
pub mod clock;
pub mod code;
pub mod compatibility;
pub mod configured;
pub mod cron;
pub mod encoding;
pub mod entrypoint;
pub mod error;
pub mod event;
mod event_table;
mod eviction;
pub mod facet;
pub mod facet_index;
pub mod gate;
pub mod input_gate;
pub mod instance;
pub mod limit_table;
pub mod limits;
pub mod link;
pub mod live;
mod load_queue;
mod loaded;
pub mod loader;
mod log;
pub mod message;
pub mod meter;
pub mod namespace;
pub mod offload;
mod open_databases;
pub mod outbound;
pub mod pipeline;
pub mod position;
pub mod quarantine;
pub mod redirect;
mod roots;
pub mod shard;
pub mod shards;
pub mod socket;
pub mod socket_set;
mod socket_table;
pub mod stub;
pub mod tail_stream;
pub mod testing;
pub mod trace;
pub mod typescript;
pub mod wake;
pub mod worker;
pub mod writes;
