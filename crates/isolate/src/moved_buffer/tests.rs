//! Two isolates on one thread, each with a meter of its own.

use deno_core::{JsRuntime, RuntimeOptions};

use super::*;

const MIB: usize = 1 << 20;

struct Side {
    runtime: JsRuntime,
    meter: Arc<Meter>,
}

impl Side {
    fn new(bytes_max: usize) -> Side {
        let meter = Meter::new(bytes_max);
        let params = v8::CreateParams::default().array_buffer_allocator(meter.allocator());
        let options = RuntimeOptions { create_params: Some(params), ..RuntimeOptions::default() };
        let mut runtime = JsRuntime::new(options);
        runtime.v8_isolate().set_slot(Arc::clone(&meter));
        // SAFETY: entered by `new`, and nothing was entered since.
        unsafe { runtime.v8_isolate().exit() };
        Side { runtime, meter }
    }

    fn inside<T>(&mut self, run: impl FnOnce(&mut JsRuntime) -> T) -> T {
        // SAFETY: each side is left before another is entered.
        unsafe { self.runtime.v8_isolate().enter() };
        let result = run(&mut self.runtime);
        // SAFETY: as above.
        unsafe { self.runtime.v8_isolate().exit() };
        result
    }

    /// Evaluates an expression that gives a buffer; its address, and what `then` makes of it.
    fn buffer<T>(
        &mut self,
        source: &'static str,
        then: impl FnOnce(&mut v8::PinScope<'_, '_>, v8::Local<'_, v8::ArrayBuffer>) -> T,
    ) -> (usize, T) {
        self.inside(|runtime| {
            let buffer = runtime.execute_script("test", source).unwrap();
            deno_core::scope!(scope, runtime);
            let buffer = v8::Local::new(scope, buffer);
            let buffer = v8::Local::<v8::ArrayBuffer>::try_from(buffer).unwrap();
            let address = buffer.data().unwrap().addr().get();
            (address, then(scope, buffer))
        })
    }

    /// Lets a buffer arrive as the global `arrived`; its address.
    fn receive(&mut self, moved: MovedBuffer) -> Option<usize> {
        self.inside(|runtime| {
            deno_core::scope!(scope, runtime);
            let buffer = moved.arrive(scope)?;
            let name = v8::String::new(scope, "arrived").unwrap();
            scope.get_current_context().global(scope).set(scope, name.into(), buffer.into());
            Some(buffer.data().unwrap().addr().get())
        })
    }

    fn evaluate(&mut self, source: &'static str) -> f64 {
        self.inside(|runtime| {
            let value = runtime.execute_script("test", source).unwrap();
            deno_core::scope!(scope, runtime);
            v8::Local::new(scope, value).number_value(scope).unwrap()
        })
    }

    /// What is counted, without the few bytes of the engine's own.
    fn used_mib(&self) -> usize {
        self.meter.used_bytes() / MIB
    }

    fn forget_arrived(&mut self) {
        self.evaluate("arrived = 0");
        self.inside(|runtime| runtime.v8_isolate().low_memory_notification());
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // The runtime leaves it when it is dropped.
        // SAFETY: nothing is entered.
        unsafe { self.runtime.v8_isolate().enter() };
    }
}

const FILLED: &str = "globalThis.sent = new Uint8Array(10 << 20).fill(7).buffer";

fn entered() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn what_is_given_away_keeps_its_memory_and_is_counted_where_it_is() {
    let tokio = entered();
    let _entered = tokio.enter();
    let (mut one, mut other) = (Side::new(64 * MIB), Side::new(64 * MIB));
    let (before, moved) = one.buffer(FILLED, |scope, buffer| {
        let moved = MovedBuffer::take(scope, buffer).unwrap();
        assert!(buffer.was_detached());
        moved
    });
    assert_eq!((one.used_mib(), moved.byte_length()), (0, 10 * MIB));
    assert_eq!(other.receive(moved), Some(before));
    assert_eq!(other.used_mib(), 10);
    assert_eq!(other.evaluate("new Uint8Array(arrived)[9999999]"), 7.0);

    // Back again: what came from elsewhere can leave as well.
    let (again, moved) =
        other.buffer("arrived", |scope, buffer| MovedBuffer::take(scope, buffer).unwrap());
    assert_eq!((again, other.used_mib()), (before, 0));
    assert_eq!(one.receive(moved), Some(before));
    one.forget_arrived();
    assert_eq!((one.used_mib(), other.used_mib()), (0, 0));
}

#[test]
fn what_is_kept_is_copied_once() {
    let tokio = entered();
    let _entered = tokio.enter();
    let (mut one, mut other) = (Side::new(64 * MIB), Side::new(64 * MIB));
    let (before, moved) = one.buffer(FILLED, |_, buffer| MovedBuffer::copy(buffer).unwrap());
    let copy = moved.0.start.as_ptr().addr();
    assert_ne!(copy, before);
    assert_eq!(other.receive(moved), Some(copy));
    one.evaluate("new Uint8Array(sent).fill(8).length");
    assert_eq!(other.evaluate("new Uint8Array(arrived)[0]"), 7.0);
    assert_eq!((one.used_mib(), other.used_mib()), (10, 10));
}

#[test]
fn a_store_that_something_else_reads_is_copied() {
    let tokio = entered();
    let _entered = tokio.enter();
    let (mut one, mut other) = (Side::new(64 * MIB), Side::new(64 * MIB));
    let (before, (moved, reader)) = one.buffer(FILLED, |scope, buffer| {
        let reader = buffer.get_backing_store();
        (MovedBuffer::take(scope, buffer).unwrap(), reader)
    });
    assert_ne!(other.receive(moved), Some(before));
    assert_eq!(reader[0].get(), 7);
    assert_eq!(one.used_mib(), 10);
    drop(reader);
    assert_eq!(one.used_mib(), 0);
}

#[test]
fn a_receiver_without_room_refuses_and_nothing_is_left() {
    let tokio = entered();
    let _entered = tokio.enter();
    let (mut one, mut other) = (Side::new(64 * MIB), Side::new(9 * MIB));
    let (_, moved) = one.buffer(FILLED, |scope, buffer| MovedBuffer::take(scope, buffer).unwrap());
    assert_eq!(other.receive(moved), None);
    assert_eq!((one.used_mib(), other.used_mib()), (0, 0));
}

#[test]
fn garbage_makes_room_for_what_arrives() {
    let tokio = entered();
    let _entered = tokio.enter();
    let (mut one, mut other) = (Side::new(64 * MIB), Side::new(15 * MIB));
    for _ in 0..4 {
        let (_, moved) =
            one.buffer(FILLED, |scope, buffer| MovedBuffer::take(scope, buffer).unwrap());
        other.evaluate("globalThis.arrived = 0");
        assert!(other.receive(moved).is_some());
    }
}

#[test]
fn small_and_resizable_buffers_stay() {
    let tokio = entered();
    let _entered = tokio.enter();
    let mut one = Side::new(64 * MIB);
    let small = "globalThis.sent = new ArrayBuffer(1000)";
    let resizable = "globalThis.sent = new ArrayBuffer(100000, { maxByteLength: 200000 })";
    for source in [small, resizable] {
        let (_, moved) = one.buffer(source, MovedBuffer::take);
        assert!(moved.is_none());
    }
    assert_eq!(one.evaluate("sent.byteLength"), 100_000.0);
}
