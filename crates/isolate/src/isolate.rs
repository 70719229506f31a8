//! One V8 heap with its runtime, bound to the thread that made it.

use std::cell::{Cell, OnceCell, RefCell, RefMut};
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use deno_core::{JsRuntime, v8};

use crate::array_buffers::Meter;
use crate::blame::Label;
use crate::breach::MainContext;
use crate::engine::Engine;
use crate::entered::Entered;
use crate::error::{Condemned, Error};
use crate::evaluation::{self, CjsRunner};
use crate::heap_guard::HeapGuard;
use crate::loader::BundleLoader;
use crate::lookup_caches::LookupCaches;
use crate::rejection::Rejections;
use crate::turn_end;
use crate::watchdog::WatchSlot;

/// An isolate with our globals and no worker yet, or with one after [`Entered::load`].
///
/// Not `Send`; entered only through [`Isolate::enter`].
pub struct Isolate {
    runtime: ManuallyDrop<RefCell<JsRuntime>>,
    pub(crate) hooks: ManuallyDrop<Hooks>,
    pub(crate) handle: v8::IsolateHandle,
    pub(crate) loader: Rc<BundleLoader>,
    pub(crate) watch: Arc<WatchSlot>,
    pub(crate) heap: HeapGuard,
    pub(crate) heap_bytes_max: Cell<usize>,
    pub(crate) label: Cell<Label>,
    condemned: OnceCell<Condemned>,
    lookup_caches: LookupCaches,
    _count: Count,
}

/// One of the isolates that may live at a time.
struct Count(Arc<Engine>);

impl Count {
    fn take(engine: &Arc<Engine>) -> Result<Count, Error> {
        let count = Count(Arc::clone(engine));
        let before = engine.isolates.fetch_add(1, Ordering::Relaxed);
        match before < engine.limits.isolates_max {
            true => Ok(count),
            false => Err(Error::OverloadIsolates { isolates_max: engine.limits.isolates_max }),
        }
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.0.isolates.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The functions by which the isolate is driven from outside; user code cannot reach them.
pub(crate) struct Hooks {
    /// The only context of the isolate.
    pub context: v8::Global<v8::Context>,
    /// `(kind, a, b)`: one event.
    pub dispatch: v8::Global<v8::Function>,
    /// `(namespace)`: the main module was evaluated; undefined: it may use Node.js.
    pub start: v8::Global<v8::Function>,
    /// `(reason)`: something was thrown that nobody caught.
    pub report: v8::Global<v8::Function>,
}

impl Isolate {
    /// Makes an isolate from the snapshot. Must be called inside the shard's tokio context.
    ///
    /// # Errors
    /// [`Error::OverloadIsolates`] at the limit; [`Error::Bug`] when the snapshot does not offer
    /// what the engine expects of it.
    pub fn blank(engine: &Arc<Engine>, watch: &Arc<WatchSlot>) -> Result<Isolate, Error> {
        let count = Count::take(engine)?;
        let loader = Rc::new(BundleLoader::new(Arc::clone(engine)));
        let buffers = Meter::new(engine.limits.buffer_bytes_max);
        let mut options = engine.runtime_options(&buffers);
        options.module_loader = Some(Rc::clone(&loader) as _);
        options.custom_module_evaluation_cb = Some(Box::new(evaluation::evaluate));
        let mut runtime = JsRuntime::new(options);
        let handle = runtime.v8_isolate().thread_safe_handle();
        runtime.v8_isolate().set_slot(Arc::clone(&buffers));
        let heap = HeapGuard::new(handle.clone(), buffers, Arc::clone(watch));
        heap.watch(&mut runtime);
        let lookup_caches = LookupCaches::new(runtime.v8_isolate());
        turn_end::install(runtime.v8_isolate());
        Rejections::install(runtime.v8_isolate());
        evaluation::restrict_wasm(runtime.v8_isolate());
        let hooks = Hooks::take(&mut runtime);
        // SAFETY: `JsRuntime::new` entered the isolate on this thread and nothing was entered
        // since, so leaving it now keeps the order.
        unsafe { runtime.v8_isolate().exit() };
        let isolate = Isolate {
            runtime: ManuallyDrop::new(RefCell::new(runtime)),
            hooks: ManuallyDrop::new(hooks?),
            handle,
            loader,
            watch: Arc::clone(watch),
            heap,
            heap_bytes_max: Cell::new(engine.limits.heap_bytes_max),
            label: Cell::default(),
            condemned: OnceCell::new(),
            lookup_caches,
            _count: count,
        };
        Ok(isolate)
    }

    /// Makes this the thread's current isolate until the guard is dropped.
    ///
    /// # Errors
    /// [`Error::BrokenCondemned`] if it may not run again.
    pub fn enter(&self) -> Result<Entered<'_>, Error> {
        match self.condemned.get() {
            Some(cause) => Err(Error::BrokenCondemned(cause.clone())),
            None => Ok(Entered::new(self)),
        }
    }

    /// Says whose code it runs from now on.
    pub fn set_label(&self, label: Label) {
        self.label.set(label);
    }

    /// Why the isolate may not run again, if so.
    #[must_use]
    pub fn condemned(&self) -> Option<&Condemned> {
        self.condemned.get()
    }

    /// Marks the isolate: it may only be dropped.
    pub fn condemn(&self, cause: Condemned) {
        // The first cause is the one that counts.
        let _ = self.condemned.set(cause);
    }

    /// Gives memory back that V8 holds for what comes often, unless that was done since it last
    /// filled it. Takes some ten microseconds. Not while its JavaScript runs.
    pub fn give_memory_back(&self) -> bool {
        self.lookup_caches.drop_pages(self.runtime().v8_isolate())
    }

    pub(crate) fn runtime(&self) -> RefMut<'_, JsRuntime> {
        self.runtime.borrow_mut()
    }
}

impl Drop for Isolate {
    fn drop(&mut self) {
        // Handles into the heap go first; they need no entered isolate.
        // SAFETY: `hooks` is dropped here only, and never used again.
        unsafe { ManuallyDrop::drop(&mut self.hooks) };
        let runtime = self.runtime.get_mut();
        // SAFETY: the isolate is not entered (a guard would borrow `self`); the drop of the
        // runtime leaves it again.
        unsafe { runtime.v8_isolate().enter() };
        // SAFETY: `runtime` is dropped here only, and never used again.
        unsafe { ManuallyDrop::drop(&mut self.runtime) };
    }
}

impl Hooks {
    /// Takes the functions that the snapshot's bootstrap left on the global object.
    fn take(runtime: &mut JsRuntime) -> Result<Hooks, Error> {
        deno_core::scope!(scope, runtime);
        let global = scope.get_current_context().global(scope);
        let take = |name: &str| {
            let key = v8::String::new(scope, name)?;
            let value = global.get(scope, key.into())?;
            global.delete(scope, key.into());
            let function = v8::Local::<v8::Function>::try_from(value).ok()?;
            Some(v8::Global::new(scope, function))
        };
        let hooks = (take("__dispatch"), take("__start"), take("__report"));
        let (common_js, bound) = (take("__commonJs"), take("__bound"));
        // The engine needed these until here; user code must never see them.
        for name in ["Deno", "__bootstrap"] {
            let key = v8::String::new(scope, name);
            if key.and_then(|key| global.delete(scope, key.into())) != Some(true) {
                return Err(Error::Bug(format!("{name} cannot be removed")));
            }
        }
        let ((Some(dispatch), Some(start), Some(report)), Some(common_js), Some(bound)) =
            (hooks, common_js, bound)
        else {
            return Err(Error::Bug("the snapshot left no hooks on the global object".into()));
        };
        let nobody = v8::undefined(scope).into();
        if v8::Local::new(scope, bound).call(scope, nobody, &[]).is_none() {
            return Err(Error::Bug("what V8 adds to the global object cannot be bounded".into()));
        }
        scope.set_slot(CjsRunner(common_js));
        let context = v8::Global::new(scope, scope.get_current_context());
        scope.set_slot(MainContext(context.clone()));
        Ok(Hooks { context, dispatch, start, report })
    }
}
