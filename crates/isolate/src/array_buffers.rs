//! The memory of an isolate's `ArrayBuffer`s, which lies outside of its heap: counted, and
//! refused beyond a limit. User code then gets V8's `RangeError: Array buffer allocation failed`
//! and goes on.
//!
//! Counted is what V8 allocates: `new ArrayBuffer`, typed arrays, copies of them. Not counted are
//! resizable buffers and WebAssembly memories, which V8 maps by itself, and buffers the runtime
//! hands over.
//!
//! Large ones can leave for another isolate: their memory is then counted there, and V8's freeing
//! of what it still knows of them frees nothing.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deno_core::v8;

use crate::moved_buffer::{MOVED_BYTES_MIN, Memory};

/// What the buffers of one isolate take. V8's threads may free a buffer at any time, even after
/// the isolate is gone.
pub(crate) struct Meter {
    used_bytes: AtomicUsize,
    bytes_max: usize,
    refused: AtomicBool,
    /// The large ones, by address.
    large: Mutex<HashMap<usize, Hold>>,
}

/// What becomes of memory when V8 frees it.
enum Hold {
    Kept,
    /// It is about to be somebody else's.
    Leaving,
    /// V8 freed it while it was leaving, so nobody else knows it any longer.
    Left,
}

impl Meter {
    pub(crate) fn new(bytes_max: usize) -> Arc<Meter> {
        let (used_bytes, large) = (AtomicUsize::new(0), Mutex::default());
        Arc::new(Meter { used_bytes, bytes_max, refused: false.into(), large })
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

    /// Takes the memory of a store that no buffer refers to any longer, without copying it
    /// unless something else still refers to it. Gives the store back if it is not counted here.
    pub(crate) fn release(
        &self,
        store: v8::SharedRef<v8::BackingStore>,
    ) -> Result<Memory, v8::SharedRef<v8::BackingStore>> {
        let Some(start) = store.data().map(NonNull::cast::<u8>) else { return Err(store) };
        let (address, bytes) = (start.as_ptr().addr(), store.byte_length());
        match self.large().get_mut(&address) {
            Some(hold @ Hold::Kept) => *hold = Hold::Leaving,
            _ => return Err(store),
        }
        // If nothing else has the store, V8 frees it now.
        drop(store);
        let mut large = self.large();
        if let Some(hold @ Hold::Leaving) = large.get_mut(&address) {
            *hold = Hold::Kept;
            // SAFETY: V8 did not free it, and cannot while `large` is locked.
            return Ok(unsafe { Memory::copied(start, bytes) });
        }
        large.remove(&address);
        // SAFETY: allocated by `allocate` with this length, and given up by V8 just now.
        Ok(unsafe { Memory::new(start, bytes) })
    }

    /// Makes memory a store that is counted here, unless that passes the limit.
    pub(crate) fn adopt(
        self: &Arc<Self>,
        memory: Memory,
    ) -> Result<v8::UniqueRef<v8::BackingStore>, Memory> {
        if !self.take(memory.bytes()) {
            self.refused.store(true, Ordering::Relaxed);
            return Err(memory);
        }
        let (start, bytes) = memory.into_parts();
        self.large().insert(start.as_ptr().addr(), Hold::Kept);
        let meter = Arc::into_raw(Arc::clone(self)).cast_mut().cast();
        // SAFETY: the memory is nobody else's and stays until V8 calls `free_adopted`, once.
        Ok(unsafe {
            let start = start.as_ptr().cast();
            v8::ArrayBuffer::new_backing_store_from_ptr(start, bytes, free_adopted, meter)
        })
    }

    /// True if memory that V8 gives up is to be freed.
    fn is_to_free(&self, memory: *mut c_void, bytes: usize) -> bool {
        if bytes < MOVED_BYTES_MIN {
            return true;
        }
        let mut large = self.large();
        if let Some(hold @ Hold::Leaving) = large.get_mut(&memory.addr()) {
            *hold = Hold::Left;
            return false;
        }
        large.remove(&memory.addr());
        true
    }

    fn large(&self) -> MutexGuard<'_, HashMap<usize, Hold>> {
        self.large.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that are counted now.
    #[cfg(test)]
    pub(crate) fn used_bytes(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
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
        } else if bytes >= MOVED_BYTES_MIN {
            self.large().insert(memory.addr(), Hold::Kept);
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
    if meter.is_to_free(memory, bytes) {
        // SAFETY: V8 frees what `allocate` gave, once and with the same length.
        unsafe { dealloc(memory.cast(), layout) };
    }
    meter.give_back(bytes);
}

/// # Safety
/// `memory` and `meter` are those of [`Meter::adopt`], and are not used again.
unsafe extern "C" fn free_adopted(memory: *mut c_void, bytes: usize, meter: *mut c_void) {
    // SAFETY: made by `Arc::into_raw` in `adopt`; V8 drops a store once.
    let meter = unsafe { Arc::from_raw(meter.cast_const().cast::<Meter>()) };
    // SAFETY: adopted memory was allocated as that of `allocate` is.
    unsafe { free(&meter, memory, bytes) };
}

/// # Safety
/// `meter` came from [`Meter::allocator`] and is not used again.
unsafe extern "C" fn forget(meter: *const Meter) {
    // SAFETY: made by `Arc::into_raw` in `allocator`; V8 drops an allocator once.
    drop(unsafe { Arc::from_raw(meter) });
}

/// Aligned for every element type; an empty buffer gets a byte, as the allocator has no empty
/// layouts.
pub(crate) fn layout(bytes: usize) -> Option<Layout> {
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
