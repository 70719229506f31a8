//! What happens when an isolate's heap is full: it is terminated, with enough room to get out.
//!
//! V8 calls back when it is about to give up and abort the process. It also does when a buffer
//! was refused, after it collected garbage in the hope to free some; that is no reason to end the
//! isolate. The callback cannot tell the two for certain, so each turn has one refusal free.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use deno_core::{JsRuntime, v8};

use crate::array_buffers::Meter;
use crate::watchdog::WatchSlot;

/// Watches one heap; the callback holds a second handle.
#[derive(Clone)]
pub(crate) struct HeapGuard(Arc<Watch>);

struct Watch {
    /// The bytes in use when the limit was passed; 0 while it was not.
    exhausted: AtomicU64,
    /// A refused buffer was let pass, and the limit is raised.
    spared: AtomicBool,
    terminator: v8::IsolateHandle,
    buffers: Arc<Meter>,
    shard: Arc<WatchSlot>,
}

impl HeapGuard {
    pub(crate) fn new(
        terminator: v8::IsolateHandle,
        buffers: Arc<Meter>,
        shard: Arc<WatchSlot>,
    ) -> HeapGuard {
        let (exhausted, spared) = (AtomicU64::new(0), AtomicBool::new(false));
        HeapGuard(Arc::new(Watch { exhausted, spared, terminator, buffers, shard }))
    }

    /// Has V8 call back.
    pub(crate) fn watch(&self, runtime: &mut JsRuntime) {
        let watch = Arc::clone(&self.0);
        // SAFETY: only used inside the callback, which runs on the isolate's thread while the
        // isolate lives.
        let isolate = unsafe { runtime.v8_isolate().as_raw_isolate_ptr() };
        runtime.add_near_heap_limit_callback(move |current, initial| {
            // SAFETY: see above; the heap's own thread is in the callback, so nobody else uses it.
            let mut isolate = unsafe { v8::Isolate::from_raw_isolate_ptr(isolate) };
            let used = isolate.get_heap_statistics().used_heap_size();
            let is_roomy = used < initial / 2;
            if !(watch.buffers.take_refused() && is_roomy && !watch.spared.swap(true, ORDER)) {
                watch.exhausted.store(used.max(1) as u64, ORDER);
                watch.shard.end_exhausted(&watch.terminator);
            }
            // Even for a refused buffer: were it the heap after all, V8 would abort without.
            current.max(initial) + HEADROOM_BYTES
        });
    }

    /// Takes a raised limit back, between two turns.
    pub(crate) fn restore(&self, runtime: &mut JsRuntime, heap_bytes_max: usize) {
        if self.0.spared.load(ORDER) {
            self.0.spared.store(false, ORDER);
            runtime.remove_near_heap_limit_callback(heap_bytes_max);
            self.watch(runtime);
        }
    }

    /// The bytes in use when the limit was passed, once it was; the isolate must not run again.
    pub(crate) fn exhausted_at(&self) -> Option<u64> {
        Some(self.0.exhausted.load(ORDER)).filter(|used| *used > 0)
    }
}

/// All on one thread.
const ORDER: Ordering = Ordering::Relaxed;

/// Room for the allocation in flight and the unwinding when the heap limit is reached; without
/// it V8 would abort the process.
const HEADROOM_BYTES: usize = 64 << 20;
