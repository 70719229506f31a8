//! `ArrayBuffer`s that go from one isolate to another: their memory is handed over, or copied
//! once where the sender keeps its own.
//!
//! Memory is counted by the isolate that has it; between the two nobody counts it, as nobody
//! counts other messages under way.

use std::alloc::{alloc, dealloc, handle_alloc_error};
use std::ptr::{NonNull, copy_nonoverlapping};
use std::sync::Arc;

use deno_core::v8;

use crate::array_buffers::{Meter, layout};

/// Smaller buffers are copied with the message they are in, which is no slower.
pub(crate) const MOVED_BYTES_MIN: usize = 64 << 10;

/// A buffer between two isolates.
#[derive(Debug)]
pub struct MovedBuffer(Memory);

impl MovedBuffer {
    /// Takes the buffer's memory; the buffer is detached, as by `transfer()`.
    ///
    /// `None` where a buffer cannot be detached, or is none for [`is_movable`].
    pub fn take(
        scope: &mut v8::PinScope<'_, '_>,
        buffer: v8::Local<'_, v8::ArrayBuffer>,
    ) -> Option<MovedBuffer> {
        if !buffer.is_detachable() || !is_movable(buffer) {
            return None;
        }
        let meter = scope.get_slot::<Arc<Meter>>().cloned();
        let store = buffer.get_backing_store();
        buffer.detach(None)?;
        let memory = match meter {
            Some(meter) => meter.release(store),
            None => Err(store),
        };
        match memory {
            Ok(memory) => Some(MovedBuffer(memory)),
            // What the runtime itself handed to JavaScript is allocated in other ways.
            Err(store) => Memory::of(&store).map(MovedBuffer),
        }
    }

    /// A copy of the buffer; `None` if it is empty.
    #[must_use]
    pub fn copy(buffer: v8::Local<'_, v8::ArrayBuffer>) -> Option<MovedBuffer> {
        Memory::of(&buffer.get_backing_store()).map(MovedBuffer)
    }

    /// Its bytes, to tell what a message weighs.
    #[must_use]
    pub fn byte_length(&self) -> usize {
        self.0.bytes()
    }

    /// Makes it a buffer of the current isolate; `None` if that passes the isolate's limit.
    pub fn arrive<'s>(
        self,
        scope: &mut v8::PinScope<'s, '_>,
    ) -> Option<v8::Local<'s, v8::ArrayBuffer>> {
        let meter = scope.get_slot::<Arc<Meter>>().cloned();
        let meter = meter.unwrap_or_else(|| Meter::new(usize::MAX));
        let store = meter.adopt(self.0).or_else(|memory| {
            // As V8 does for buffers of its own.
            scope.low_memory_notification();
            meter.adopt(memory)
        });
        let store = store.ok()?.make_shared();
        Some(v8::ArrayBuffer::with_backing_store(scope, &store))
    }
}

/// Whether a buffer's memory can go to another isolate: it is large and will not grow.
#[must_use]
pub fn is_movable(buffer: v8::Local<'_, v8::ArrayBuffer>) -> bool {
    buffer.byte_length() >= MOVED_BYTES_MIN
        && !buffer.get_backing_store().is_resizable_by_user_javascript()
}

/// Memory as the allocator of buffers gives it, owned.
#[derive(Debug)]
pub(crate) struct Memory {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: it owns its bytes, and nothing else has a pointer to them.
unsafe impl Send for Memory {}

impl Memory {
    /// # Safety
    /// `start` was allocated with [`layout`] of `bytes`, and is nobody else's.
    pub(crate) unsafe fn new(start: NonNull<u8>, bytes: usize) -> Memory {
        Memory { start, bytes }
    }

    /// # Safety
    /// As many `bytes` can be read from `from`.
    pub(crate) unsafe fn copied(from: NonNull<u8>, bytes: usize) -> Memory {
        let layout = layout(bytes).expect("a buffer of this length exists");
        // SAFETY: layouts of buffers are never empty.
        let start = unsafe { alloc(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        // SAFETY: the caller's promise, and `start` was allocated just now.
        unsafe { copy_nonoverlapping(from.as_ptr(), start.as_ptr(), bytes) };
        Memory { start, bytes }
    }

    fn of(store: &v8::BackingStore) -> Option<Memory> {
        let start = store.data()?.cast();
        // SAFETY: a store has as many bytes as it says, and lives during the call.
        Some(unsafe { Memory::copied(start, store.byte_length()) })
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The memory, which the caller frees.
    pub(crate) fn into_parts(self) -> (NonNull<u8>, usize) {
        let parts = (self.start, self.bytes);
        std::mem::forget(self);
        parts
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let layout = layout(self.bytes).expect("it was allocated with this layout");
        // SAFETY: allocated with this layout and owned.
        unsafe { dealloc(self.start.as_ptr(), layout) };
    }
}

#[cfg(test)]
mod tests;
