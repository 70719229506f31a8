//! SQLite files and their durability: the only room that names SQLite.
//!
//! A [`Database`] and its cursors live on one thread. Writes gather in one implicit transaction;
//! [`Database::commit`] ends it without waiting for the disk and hands the commit to a
//! [`DurabilitySink`], which reports when it is on disk. Nothing here knows V8, HTTP or actors:
//! holding messages back until then is the caller's part.

pub mod append_log;
pub mod archive;
pub mod authorizer;
pub mod brake;
pub mod checkpoint;
pub mod cursor;
pub mod data_dir;
pub mod database;
pub mod database_file;
pub mod durability;
pub mod error;
pub mod keyed_log;
pub mod kv;
pub mod lost_sync;
pub mod metadata;
pub mod reset;
pub mod sync_pool;
pub mod transaction;
pub mod value;

mod bookmark;
mod compile;
mod connection;
mod disk;
mod folder_sync;
mod history;
mod history_log;
mod restore;
mod result_code;
mod row_count;
mod row_limit;
mod statement;
mod statement_cache;
#[cfg(test)]
mod tests;

pub use append_log::AppendLog;
pub use archive::Archive;
pub use brake::Brake;
pub use cursor::Cursor;
pub use data_dir::DataDir;
pub use database::{Database, Settings, heap_used, set_heap_limit};
pub use database_file::{copy_database, delete_database};
pub use durability::{CommitLog, Durability, DurabilitySink};
pub use error::Error;
pub use history::HistorySettings;
pub use keyed_log::KeyedLog;
pub use kv::{KvCursor, KvList};
pub use lost_sync::on_lost_sync;
pub use metadata::stored_alarm;
pub use sync_pool::SyncPool;
pub use value::{Value, ValueRef};
