//! The guard under which an isolate runs.
//!
//! It keeps V8's thread state in order (enter on creation, exit on drop), shows the watchdog
//! who is on the CPU, and condemns the isolate when a turn was terminated. It cannot be held
//! across an await: it borrows the isolate and is not `Send`, and the shard only makes it
//! inside synchronous functions.

use std::cell::RefMut;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use deno_core::{JsRuntime, PollEventLoopOptions, v8};

use crate::breach::Breach;
use crate::bundle::Bundle;
use crate::error::{Condemned, Error};
use crate::isolate::{Hooks, Isolate};
use crate::node::NodeCompat;
use crate::rejection::Rejections;
use crate::start;
use crate::turn_end;

/// This isolate is current on this thread.
pub struct Entered<'a> {
    isolate: &'a Isolate,
    runtime: RefMut<'a, JsRuntime>,
    turn: u64,
}

impl<'a> Entered<'a> {
    pub(crate) fn new(isolate: &'a Isolate) -> Entered<'a> {
        let mut runtime = isolate.runtime();
        let turn = isolate.watch.enter(&isolate.handle, &isolate.label.get());
        // SAFETY: the isolate belongs to this thread, and guards are dropped in reverse order
        // because they are locals of synchronous functions; `drop` leaves it again.
        unsafe { runtime.v8_isolate().enter() };
        Entered { isolate, runtime, turn }
    }

    /// Puts a value where ops find it by its type.
    pub fn put<T: 'static>(&mut self, value: T) {
        self.runtime.op_state().borrow_mut().put(value);
    }

    /// Says which modules of Node.js the bundle may import, and adds their globals.
    ///
    /// # Errors
    /// [`Error::Bug`] when the bootstrap threw.
    pub fn allow_node(&mut self, node: NodeCompat) -> Result<(), Error> {
        self.isolate.loader.allow_node(node);
        if node != NodeCompat::All {
            return Ok(());
        }
        deno_core::scope!(scope, self.runtime);
        let start = v8::Local::new(scope, &self.isolate.hooks.start);
        let nothing = v8::undefined(scope).into();
        call(scope, start, &[nothing]).map_err(Error::Bug)
    }

    /// Loads and evaluates the bundle, then hands its exports to the bootstrap.
    ///
    /// Afterwards no code can be made from strings. `waker` is woken when the isolate wants
    /// [`poll`](Self::poll).
    ///
    /// # Errors
    /// [`Error::AppStart`] with the place in the source; the isolate must then be dropped.
    pub fn load(&mut self, bundle: Arc<Bundle>, waker: &Waker) -> Result<(), Error> {
        self.isolate.loader.set(bundle);
        let namespace = match start::evaluate(&mut self.runtime, &self.isolate.loader, waker) {
            Ok(namespace) => namespace,
            Err(error) => {
                self.check_terminated()?;
                return Err(Error::AppStart(Box::new(error)));
            }
        };
        deno_core::scope!(scope, self.runtime);
        scope.get_current_context().set_allow_generation_from_strings(false);
        let namespace = v8::Local::new(scope, namespace);
        let start = v8::Local::new(scope, &self.isolate.hooks.start);
        call(scope, start, &[namespace.into()]).map_err(Error::Bug)
    }

    /// What runs from now on is another turn, with a limit of its own.
    ///
    /// # Errors
    /// [`Error::BrokenCondemned`] if the turn before passed its limit after all.
    pub fn next_turn(&mut self) -> Result<(), Error> {
        let watch = &self.isolate.watch;
        let before = std::mem::replace(&mut self.turn, watch.next_turn());
        match watch.breach(before) {
            None => Ok(()),
            Some(breach) => Err(self.condemn(Condemned::Cpu(breach))),
        }
    }

    /// Delivers one event: calls the bootstrap's dispatch function, runs the microtasks and
    /// reports what was thrown with nobody listening.
    ///
    /// # Errors
    /// [`Error::BrokenCondemned`] when the turn was terminated, [`Error::Bug`] when the
    /// bootstrap itself threw.
    pub fn dispatch(&mut self, kind: u32, a: u32, b: u32) -> Result<(), Error> {
        let hooks = &*self.isolate.hooks;
        let outcome = {
            // As `deno_core::scope!`, without a new global handle on the context per event.
            v8::scope!(let scope, self.runtime.v8_isolate());
            let context = v8::Local::new(scope, &hooks.context);
            let scope = &mut v8::ContextScope::new(scope, context);
            let arguments = [kind, a, b].map(|n| v8::Integer::new_from_unsigned(scope, n).into());
            let dispatch = v8::Local::new(scope, &hooks.dispatch);
            let outcome = match call(scope, dispatch, &arguments) {
                Err(_) if turn_end::resume(scope) => Ok(()),
                outcome => outcome,
            };
            scope.perform_microtask_checkpoint();
            turn_end::resume(scope);
            if !scope.is_execution_terminating() {
                report_rejections(scope, hooks);
            }
            outcome
        };
        self.check_terminated()?;
        outcome.map_err(Error::Bug)
    }

    /// As [`dispatch`](Self::dispatch) with the CPU time that is left and the limit in
    /// milliseconds that an excess is reported with; gives the CPU time that was spent.
    pub fn dispatch_limited(
        &mut self,
        (kind, a, b): (u32, u32, u32),
        limit: Option<(Duration, u32)>,
    ) -> (Result<(), Error>, Duration) {
        let watch = Arc::clone(&self.isolate.watch);
        let before = watch.cpu().unwrap_or_default();
        if let Some((left, limit_ms)) = limit {
            watch.set_deadline(before + left, limit_ms);
        }
        let outcome = self.dispatch(kind, a, b);
        watch.clear_deadline();
        (outcome, watch.cpu().unwrap_or_default().saturating_sub(before))
    }

    /// Lowers the limit of the heap, to no less than what is in use.
    pub fn limit_heap(&mut self, bytes: usize) {
        let bytes = bytes.min(self.isolate.heap_bytes_max.get());
        self.isolate.heap_bytes_max.set(bytes);
        self.runtime.remove_near_heap_limit_callback(bytes);
        self.isolate.heap.watch(&mut self.runtime);
    }

    /// Runs what the engine itself has to do: dynamic imports, finished compilations,
    /// finalizers. `Ready` means that nothing is left.
    ///
    /// # Errors
    /// As [`dispatch`](Self::dispatch).
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Error> {
        let poll = self.runtime.poll_event_loop(cx, PollEventLoopOptions::default());
        turn_end::resume(self.runtime.v8_isolate());
        if !self.runtime.v8_isolate().is_execution_terminating() {
            deno_core::scope!(scope, self.runtime);
            report_rejections(scope, &self.isolate.hooks);
        }
        self.check_terminated()?;
        match poll {
            Poll::Pending => Ok(Poll::Pending),
            Poll::Ready(Ok(())) => Ok(Poll::Ready(())),
            Poll::Ready(Err(error)) => Err(Error::Bug(error.to_string())),
        }
    }

    /// Bytes of the JavaScript heap in use.
    pub fn heap_bytes(&mut self) -> usize {
        self.runtime.v8_isolate().get_heap_statistics().used_heap_size()
    }

    /// A terminated isolate is condemned at once: V8 may forget the request to stop.
    fn check_terminated(&mut self) -> Result<(), Error> {
        let cause = match self.breach() {
            Some(cause) => cause,
            None if self.runtime.v8_isolate().is_execution_terminating() => Condemned::Terminated,
            None => return Ok(()),
        };
        Err(self.condemn(cause))
    }

    /// The limit that this turn passed, if it did.
    fn breach(&self) -> Option<Condemned> {
        let (heap, watch) = (&self.isolate.heap, &self.isolate.watch);
        if let Some(used) = heap.exhausted_at() {
            let limit = self.isolate.heap_bytes_max.get() as u64;
            return Some(Condemned::Memory(Breach { limit, used, place: watch.take_stack() }));
        }
        watch.breach(self.turn).map(Condemned::Cpu)
    }

    fn condemn(&self, cause: Condemned) -> Error {
        self.isolate.condemn(cause.clone());
        Error::BrokenCondemned(cause)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.isolate.heap.restore(&mut self.runtime, self.isolate.heap_bytes_max.get());
        // SAFETY: entered by `new` of this guard, and every later guard is dropped already.
        unsafe { self.runtime.v8_isolate().exit() };
        self.isolate.watch.exit();
        // The watchdog may have fired after the last check; now it no longer can.
        if let Some(cause) = self.breach() {
            self.isolate.condemn(cause);
        }
    }
}

/// Hands what was thrown with nobody listening to the bootstrap.
fn report_rejections(scope: &mut v8::PinScope<'_, '_>, hooks: &Hooks) {
    // A listener that hears of one may leave others.
    for _ in 0..REPORT_ROUNDS_MAX {
        let Some(rejections) = scope.get_slot::<Rejections>() else { return };
        if rejections.is_empty() || scope.is_execution_terminating() {
            return;
        }
        let (pending, handled) = (rejections.take(), rejections.take_handled());
        let report = v8::Local::new(scope, &hooks.report);
        for (promise, reason) in pending {
            let (promise, reason) = (v8::Local::new(scope, promise), v8::Local::new(scope, reason));
            report_one(scope, report, &[reason, promise.into()]);
        }
        for promise in handled {
            let nothing = v8::undefined(scope).into();
            let promise = v8::Local::new(scope, promise).into();
            let is_handled = v8::Boolean::new(scope, true).into();
            report_one(scope, report, &[nothing, promise, is_handled]);
        }
        scope.perform_microtask_checkpoint();
        turn_end::resume(scope);
    }
}

fn report_one(
    scope: &mut v8::PinScope<'_, '_>,
    report: v8::Local<'_, v8::Function>,
    arguments: &[v8::Local<'_, v8::Value>],
) {
    if let Err(error) = call(scope, report, arguments) {
        tracing::error!(%error, "reporting an unhandled rejection threw");
    }
}

/// Rounds of reports, each of what the listeners of the one before left.
const REPORT_ROUNDS_MAX: usize = 16;

/// Calls a function of the bootstrap; an exception comes back as its text.
fn call(
    scope: &mut v8::PinScope<'_, '_>,
    function: v8::Local<'_, v8::Function>,
    arguments: &[v8::Local<'_, v8::Value>],
) -> Result<(), String> {
    v8::tc_scope!(let caught, scope);
    let receiver = v8::undefined(caught).into();
    match function.call(caught, receiver, arguments) {
        Some(_) => Ok(()),
        None => Err(caught
            .exception()
            .filter(|_| !caught.has_terminated())
            .map_or_else(|| "terminated".into(), |e| e.to_rust_string_lossy(caught))),
    }
}
