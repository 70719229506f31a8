//! The actors of one isolate, by numbers that are never used again: what code of a gone actor
//! still does must not reach another actor.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use crate::actor::Actor;

/// Living actors by number.
#[derive(Default)]
pub(crate) struct ActorTable {
    actors: HashMap<u32, Rc<Actor>, BuildHasherDefault<NumberHasher>>,
    last: u32,
}

impl ActorTable {
    /// Adds an actor; gives its number, never 0.
    pub fn add(&mut self, actor: Rc<Actor>) -> u32 {
        loop {
            // V8 has small integers for these, and they end a century before they begin anew.
            self.last = self.last % NUMBERS + 1;
            if !self.actors.contains_key(&self.last) {
                self.actors.insert(self.last, actor);
                return self.last;
            }
        }
    }

    pub fn find(&self, number: u32) -> Option<Rc<Actor>> {
        self.actors.get(&number).cloned()
    }

    pub fn remove(&mut self, number: u32) {
        self.actors.remove(&number);
    }

    pub fn all(&self) -> Vec<Rc<Actor>> {
        self.actors.values().cloned().collect()
    }
}

/// Spreads numbers that count up; nobody outside chooses them.
#[derive(Default)]
struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(SPREAD);
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = u64::from(number).wrapping_mul(SPREAD);
    }
}

const NUMBERS: u32 = 1 << 30;
/// 2^64 over the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
