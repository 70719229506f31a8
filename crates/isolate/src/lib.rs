//! The only room that creates, enters and kills V8 isolates.
//!
//! Invariants, argued in ARCHITECTURE.md and relied on by every `unsafe` block here:
//! - An [`Isolate`] never leaves the thread that made it and is entered only through
//!   [`Entered`]; guards are dropped in reverse order, and none lives across an await.
//! - No `&mut JsRuntime` outlives its guard, and a runtime is dropped while it is entered.
//! - A condemned isolate is entered once more only, to be dropped.
//! - All isolates of a process come from one snapshot.

mod array_buffers;
mod blame;
mod breach;
mod bundle;
mod code_cache;
mod engine;
mod entered;
mod error;
mod evaluation;
mod heap_guard;
mod isolate;
mod loader;
mod lookup_caches;
mod moved_buffer;
mod node;
mod one_module;
mod pool;
mod provided;
mod rejection;
mod retired;
mod start;
mod turn_end;
mod watchdog;

pub use blame::{Blame, Label, Offence, OffenceKind};
pub use breach::Breach;
pub use bundle::{Bundle, Module, TYPESCRIPT_ENDINGS, is_typescript, join};
pub use engine::{Engine, IsolateLimits, SnapshotOutput, build_snapshot, lazy_script};
pub use entered::Entered;
pub use error::{Condemned, Error, SourcePosition, StartError, StartStage};
pub use isolate::Isolate;
pub use loader::module_url;
pub use moved_buffer::{MovedBuffer, is_movable};
pub use node::{NODE_MODULES, NodeCompat};
pub use pool::Pool;
pub use retired::Retired;
pub use turn_end::end_turn;
pub use watchdog::{WatchSlot, WatchSlots, Watchdog};
