//! The memory of an isolate's `ArrayBuffer`s, which lies outside of its heap: counted, and
//! refused beyond a limit. User code then gets V8's `RangeError: Array buffer allocation failed`
//! and goes on.
//!
//! Counted is what V8 allocates: `new ArrayBuffer`, typed arrays, copies of them. Not counted are
//! resizable buffers and WebAssembly memories, which V8 maps by itself, and buffers the runtime
//! hands over.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use deno_core::v8;

/// What the buffers of one isolate take. V8's threads may free a buffer at any time, even after
/// the isolate is gone.
pub(crate) struct Meter {
    used_bytes: AtomicUsize,
    bytes_max: usize,
    refused: AtomicBool,
}

impl Meter {
    pub(crate) fn new(bytes_max: usize) -> Arc<Meter> {
        Arc::new(Meter { used_bytes: AtomicUsize::new(0), bytes_max, refused: false.into() })
    }

    /// The allocator that this meter counts.
    pub(crate) fn allocator(self: &Arc<Self>) -> v8::UniqueRef<v8::Allocator> {
        // SAFETY: the pointer is an `Arc` of the type that the functions of `VTABLE` take, and
        // `forget` gives it back.
        unsafe { v8::new_rust_allocator(Arc::into_raw(Arc::clone(self)), &VTABLE) }
    }

    /// Whether a buffer was refused since the last call, for V8 collects garbage then as if its
    /// heap were full.
    pub(crate) fn take_refused(&self) -> bool {
        self.refused.swap(false, Ordering::Relaxed)
    }

    /// Reserves, unless that passes the limit.
    fn take(&self, bytes: usize) -> bool {
        let reserve = |used: usize| {
            let wanted = used.checked_add(bytes)?;
            // V8 cannot do without the small ones: it moves them out of its heap on demand.
            (wanted <= self.bytes_max || bytes <= ALWAYS_GIVEN_BYTES).then_some(wanted)
        };
        self.used_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, reserve).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Null if the limit or the system refuses.
    fn allocate(&self, bytes: usize, by: unsafe fn(Layout) -> *mut u8) -> *mut c_void {
        let Some(layout) = layout(bytes).filter(|_| self.take(bytes)) else {
            self.refused.store(true, Ordering::Relaxed);
            return null_mut();
        };
        // SAFETY: `by` is one of the global allocator's functions; the layout is never empty.
        let memory = unsafe { by(layout) };
        if memory.is_null() {
            self.refused.store(true, Ordering::Relaxed);
            self.give_back(bytes);
        }
        memory.cast()
    }
}

static VTABLE: v8::RustAllocatorVtable<Meter> =
    v8::RustAllocatorVtable { allocate, allocate_uninitialized, free, drop: forget };

/// # Safety
/// None beyond what the types say; V8's signature asks for the word.
unsafe extern "C" fn allocate(meter: &Meter, bytes: usize) -> *mut c_void {
    meter.allocate(bytes, alloc_zeroed)
}

/// # Safety
/// The memory is read only after it was written, which V8 sees to.
unsafe extern "C" fn allocate_uninitialized(meter: &Meter, bytes: usize) -> *mut c_void {
    meter.allocate(bytes, alloc)
}

/// # Safety
/// `memory` is null or came from one of the two functions above for as many `bytes`, and is not
/// used again.
unsafe extern "C" fn free(meter: &Meter, memory: *mut c_void, bytes: usize) {
    let Some(layout) = layout(bytes).filter(|_| !memory.is_null()) else { return };
    // SAFETY: V8 frees what `allocate` gave, once and with the same length.
    unsafe { dealloc(memory.cast(), layout) };
    meter.give_back(bytes);
}

/// # Safety
/// `meter` came from [`Meter::allocator`] and is not used again.
unsafe extern "C" fn forget(meter: *const Meter) {
    // SAFETY: made by `Arc::into_raw` in `allocator`; V8 drops an allocator once.
    drop(unsafe { Arc::from_raw(meter) });
}

/// Aligned for every element type; an empty buffer gets a byte, as the allocator has no empty
/// layouts.
fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.max(1), 16).ok()
}

/// A buffer this small is never refused.
const ALWAYS_GIVEN_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_up_to_the_limit_and_again_once_it_is_back() {
        let meter = Meter::new(1000);
        let first = meter.allocate(600, alloc_zeroed);
        assert!(!first.is_null());
        assert!(meter.allocate(401, alloc_zeroed).is_null());
        assert!(meter.take_refused());
        let second = meter.allocate(400, alloc);
        assert!(!second.is_null() && !meter.take_refused());
        // SAFETY: both were allocated above with these lengths.
        unsafe { (free(&meter, first, 600), free(&meter, second, 400)) };
        assert_eq!(meter.used_bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn small_buffers_are_given_beyond_the_limit() {
        let meter = Meter::new(0);
        let memory = meter.allocate(ALWAYS_GIVEN_BYTES, alloc_zeroed);
        assert!(!memory.is_null());
        assert!(meter.allocate(ALWAYS_GIVEN_BYTES + 1, alloc_zeroed).is_null());
        // SAFETY: allocated above with this length.
        unsafe { free(&meter, memory, ALWAYS_GIVEN_BYTES) };
    }

    #[test]
    fn lengths_beyond_reason_are_refused() {
        let meter = Meter::new(usize::MAX);
        assert!(meter.allocate(usize::MAX, alloc).is_null());
        assert!(meter.allocate(isize::MAX as usize, alloc).is_null());
        assert_eq!(meter.used_bytes.load(Ordering::Relaxed), 0);
    }
}
