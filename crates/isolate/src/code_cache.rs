//! Compiled code by content, shared by all isolates of the process.
//!
//! Producing a cache costs more than compiling once, so the first sight of a module only leaves
//! a note, the second produces the cache, and later ones use it. V8 itself checks no more than
//! a source's length, so the key must be one that hostile code cannot forge: a hash with a key
//! that is random per process.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use deno_core::SourceCodeCacheInfo;

/// The process-wide table of compiled modules.
#[derive(Default)]
pub(crate) struct CodeCache {
    keys: RandomState,
    entries: Arc<Mutex<Entries>>,
}

#[derive(Default)]
struct Entries {
    by_hash: HashMap<u64, Entry>,
    bytes: usize,
}

enum Entry {
    Seen,
    Wanted,
    Compiled(&'static [u8]),
}

/// The place where a cache that V8 just produced is put.
#[derive(Clone)]
pub(crate) struct CodeCacheStore(Arc<Mutex<Entries>>);

impl CodeCache {
    /// What to hand to V8 with this source: nothing at first sight, a request to produce a
    /// cache at the second, the cache from then on.
    pub fn look_up(&self, source: &str) -> Option<SourceCodeCacheInfo> {
        let hash = self.keys.hash_one(source);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.by_hash.len() >= CODE_CACHE_ENTRIES_MAX {
            // Notes about code that was seen once are worth little; compiled code is leaked on
            // purpose (see `put`), so forgetting it would only compile it again.
            entries.by_hash.retain(|_, entry| matches!(entry, Entry::Compiled(_)));
        }
        let data = match entries.by_hash.get(&hash) {
            None => {
                entries.by_hash.insert(hash, Entry::Seen);
                return None;
            }
            Some(Entry::Seen) => {
                entries.by_hash.insert(hash, Entry::Wanted);
                None
            }
            Some(Entry::Wanted) => None,
            Some(Entry::Compiled(code)) => Some(Cow::Borrowed(*code)),
        };
        Some(SourceCodeCacheInfo { hash, data })
    }

    pub fn store(&self) -> CodeCacheStore {
        CodeCacheStore(Arc::clone(&self.entries))
    }
}

impl CodeCacheStore {
    /// Keeps what V8 produced, up to [`CODE_CACHE_BYTES_MAX`] in total.
    pub fn put(&self, hash: u64, code: &[u8]) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = matches!(entries.by_hash.get(&hash), Some(Entry::Compiled(_)));
        if known || entries.bytes + code.len() > CODE_CACHE_BYTES_MAX {
            return;
        }
        entries.bytes += code.len();
        // V8 wants the bytes to outlive the compilation; they live as long as the process,
        // which the byte limit keeps small.
        entries.by_hash.insert(hash, Entry::Compiled(Box::leak(code.into())));
    }
}

/// Enough for a few hundred mid-sized apps.
const CODE_CACHE_BYTES_MAX: usize = 64 << 20;
/// Notes are a few dozen bytes each.
const CODE_CACHE_ENTRIES_MAX: usize = 100_000;
