//! Compiled SQL texts of users, found by text (ST-19).
//!
//! A text is one or more statements; all but the last run to their end each time. The cache holds
//! texts of one mebibyte together and forgets the least recently used. A text whose last statement
//! still has an open cursor is busy; its next user compiles a copy of its own.

use std::cell::Cell;
use std::rc::Rc;

use lru::LruCache;

use crate::statement::Statement;

/// A compiled text.
pub(crate) struct Compiled {
    /// All statements but the last.
    pub(crate) prelude: Vec<Statement>,
    /// The one that takes the bindings and gives the rows.
    pub(crate) last: Statement,
    /// True while a cursor reads from `last`.
    pub(crate) busy: Cell<bool>,
}

/// Compiled texts by text, least recently used first out.
pub(crate) struct StatementCache {
    texts: LruCache<Rc<str>, Rc<Compiled>>,
    text_bytes: usize,
}

impl StatementCache {
    pub(crate) fn new() -> StatementCache {
        StatementCache { texts: LruCache::unbounded(), text_bytes: 0 }
    }

    /// The compiled text, unless it is unknown or busy.
    pub(crate) fn find(&mut self, sql: &str) -> Option<Rc<Compiled>> {
        self.texts.get(sql).filter(|compiled| !compiled.busy.get()).cloned()
    }

    /// Keeps a text for its next use. One that is known already stays as it is.
    pub(crate) fn keep(&mut self, sql: &str, compiled: &Rc<Compiled>) {
        if sql.len() > TEXT_BYTES_MAX || self.texts.contains(sql) {
            return;
        }
        self.text_bytes += sql.len();
        self.texts.put(sql.into(), compiled.clone());
        while self.text_bytes > TEXT_BYTES_MAX {
            let Some((forgotten, _)) = self.texts.pop_lru() else { break };
            self.text_bytes -= forgotten.len();
        }
    }

    /// Forgets everything; a busy statement lives on with its cursor.
    pub(crate) fn clear(&mut self) {
        self.texts.clear();
        self.text_bytes = 0;
    }
}

/// SQL text kept per database, as on the platform.
const TEXT_BYTES_MAX: usize = 1 << 20;
