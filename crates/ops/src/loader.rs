//! The worker loader binding and the `env` that a worker gets.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use deno_core::{GarbageCollected, OpState, cppgc, op2, v8};
use serde_json::Value;
use worker::capability::Capability;
use worker::code::{Env, Module, NodeCompat, Tail, WorkerCode, WorkerLimits, check_bundle};
use worker::compatibility::{Compatibility, Experimental};
use worker::error::Error;
use worker::event::Entry;
use worker::limits::ENV_BYTES_MAX;
use worker::loader::{Found, LoadedWorker, WorkerSource};
use worker::meter::InvocationLimits;
use worker::outbound::Outbound;
use worker::stub::WorkerStub;
use worker::typescript;

use crate::body::bytes_to_v8;
use crate::capability::{CapabilityHandle, SerializedHandle};
use crate::dispatch::instance;
use crate::error::{JsError, thrown};
use crate::request::v8_text;
use crate::stub;

/// A dynamic worker in JavaScript's hands.
pub struct LoadedHandle {
    pub(crate) worker: Rc<LoadedWorker>,
}

// SAFETY: nothing in a handle points into V8's heap, so there is nothing to trace.
unsafe impl GarbageCollected for LoadedHandle {
    fn trace(&self, _visitor: &mut v8::cppgc::Visitor) {}

    fn get_name(&self) -> &'static std::ffi::CStr {
        c"LoadedHandle"
    }
}

/// Finds a dynamic worker: `[handle, what to do]`: 0 nothing, 1 give its code, 2 compare it.
#[op2]
pub fn op_loader_find<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    #[string] name: Option<String>,
) -> v8::Local<'s, v8::Array> {
    let (worker, what) = match instance(state).loader().find(name.as_deref()) {
        Found::Known(worker) => (worker, KNOWN),
        Found::ToCheck(worker) => (worker, TO_CHECK),
        Found::New(worker) => (worker, NEW),
    };
    let handle = cppgc::make_cppgc_object(scope, LoadedHandle { worker }).into();
    let what = v8::Integer::new(scope, what).into();
    v8::Array::new_with_elements(scope, &[handle, what])
}

/// Ends the calling worker with all that runs in it; code that is loaded under its name again is
/// asked for anew (WL-42).
#[op2(fast)]
pub fn op_loader_abort_isolate(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    #[string] reason: &str,
) {
    instance(state).abort_isolate(reason);
    isolate::end_turn(scope);
}

/// Compares the code that a callback gives now with what runs under its name, and reports a
/// difference once.
#[op2(nofast)]
pub fn op_loader_compare(
    scope: &mut v8::PinScope<'_, '_>,
    #[cppgc] handle: &LoadedHandle,
    #[string] main: String,
    modules: v8::Local<'_, v8::Array>,
) -> Result<(), JsError> {
    let bundle = check_bundle(main, modules_of(scope, modules)?)?;
    handle.worker.compare(&bundle);
    Ok(())
}

/// Gives the code: `modules` is `[name, kind, content, …]` with kinds `js`, `ts`, `cjs`, `text`,
/// `json` (contents are strings), `data` and `wasm` (a `Uint8Array`). `given` is the rest as JSON:
/// `name`, `main`, `date`, `flags`, `experimental`, `limits`, and `outbound` (`inherit`, `none`,
/// `stub`), and `streaming`. `wiring` are capabilities: where `fetch()` goes, if to a stub, then
/// the tails, of which the last `streaming` hear of everything at once.
#[op2(nofast)]
pub fn op_loader_define(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    #[cppgc] handle: &LoadedHandle,
    modules: v8::Local<'_, v8::Array>,
    #[cppgc] env: &SerializedHandle,
    #[string] given: String,
    wiring: v8::Local<'_, v8::Array>,
) -> Result<(), JsError> {
    let given = settings(&given)?;
    let compatibility = compatibility(&given)?;
    let limits = worker_limits(&given["limits"]);
    let mut tails = capabilities(scope, wiring)?;
    let outbound = match given["outbound"].as_str() {
        Some("inherit") => instance(state).code.outbound.clone(),
        Some("stub") if !tails.is_empty() => Outbound::Stub(tails.remove(0)),
        _ => Outbound::Denied,
    };
    let given_text = |field: &str| given[field].as_str().unwrap_or_default().to_owned();
    let (name, main_module) = (given_text("name"), given_text("main"));
    let app = app_of(state, &name);
    let modules = match modules_of(scope, modules) {
        Ok(modules) => modules,
        // As other errors of a module's source: at the first use (WL-3).
        Err(JsError::Worker(error @ Error::AppStart(_))) => {
            handle.worker.fail(error);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let bundle = Arc::new(check_bundle(main_module, modules)?);
    let env = env.value();
    let bytes = env.bytes.len();
    if bytes > ENV_BYTES_MAX {
        let message = format!(
            "Dynamic Worker env size ({bytes} bytes) exceeds the maximum allowed size of \
             {ENV_BYTES_MAX} bytes."
        );
        return Err(Error::app_code("Error", message).into());
    }
    handle.worker.define(WorkerCode {
        bundle,
        env: Env::Given(env),
        outbound,
        node: node_of(&given),
        compatibility,
        limits,
        tails: tails_of(tails, &given),
        name: name.into(),
        app: Some(app),
    });
    Ok(())
}

fn tails_of(targets: Vec<Capability>, given: &Value) -> Arc<[Tail]> {
    let streaming = given["streaming"].as_u64().unwrap_or_default();
    let first = (targets.len() as u64).saturating_sub(streaming);
    let tails = (0..).zip(targets);
    tails.map(|(at, target)| Tail { target, is_streaming: at >= first }).collect()
}

/// Who answers for a worker: the app that loads it. What a configured worker loads, the app host
/// above all, is an app of its own, named before the `@`.
fn app_of(state: &OpState, name: &str) -> Arc<str> {
    let loading = instance(state).code.app.clone();
    loading.unwrap_or_else(|| name.split('@').next().unwrap_or_default().into())
}

fn modules_of(
    scope: &mut v8::PinScope<'_, '_>,
    list: v8::Local<'_, v8::Array>,
) -> Result<BTreeMap<String, Module>, JsError> {
    let mut modules = BTreeMap::new();
    for at in (0..list.length()).step_by(3) {
        let name = text(scope, list, at)?;
        let kind = text(scope, list, at + 1)?;
        let module = match kind.as_str() {
            "data" => Module::Data(data(scope, list, at + 2)?.into()),
            "wasm" => Module::Wasm(data(scope, list, at + 2)?.into()),
            _ => {
                let source = text(scope, list, at + 2)?;
                match kind.as_str() {
                    "cjs" => Module::Cjs(source.into()),
                    "text" => Module::Text(source.into()),
                    "json" => Module::Json(source.into()),
                    "ts" => Module::Js(typescript::strip(&name, &source)?.into()),
                    _ => Module::Js(source.into()),
                }
            }
        };
        modules.insert(name, module);
    }
    Ok(modules)
}

fn capabilities(
    scope: &mut v8::PinScope<'_, '_>,
    list: v8::Local<'_, v8::Array>,
) -> Result<Vec<Capability>, JsError> {
    let items = (0..list.length()).map(|index| {
        let handle = list
            .get_index(scope, index)
            .and_then(|value| cppgc::try_unwrap_cppgc_object::<CapabilityHandle>(scope, value));
        let handle = handle.ok_or_else(|| Error::bug(format!("capability {index}")))?;
        handle.take()
    });
    items.collect()
}

fn settings(text: &str) -> Result<Value, JsError> {
    let settings = serde_json::from_str(text);
    settings.map_err(|error| Error::bug(format!("settings of a worker: {error}")).into())
}

fn compatibility(given: &Value) -> Result<Compatibility, Error> {
    let flags = given["flags"].as_array().into_iter().flatten();
    let flags: Vec<String> = flags.filter_map(Value::as_str).map(str::to_owned).collect();
    let experimental = match given["experimental"] == true {
        true => Experimental::Allowed,
        false => Experimental::Refused,
    };
    Compatibility::new(given["date"].as_str().unwrap_or_default(), &flags, experimental)
}

fn node_of(given: &Value) -> NodeCompat {
    let flags = given["flags"].as_array().into_iter().flatten();
    NodeCompat::new(given["date"].as_str().unwrap_or_default(), flags.filter_map(Value::as_str))
}

/// Limits of events through one stub or of one class, as `js/limits.js` writes them.
pub(crate) fn invocation_limits(limits: &str) -> Result<InvocationLimits, JsError> {
    Ok(worker_limits(&settings(limits)?).invocation)
}

fn worker_limits(limits: &Value) -> WorkerLimits {
    let number = |name: &str| limits[name].as_u64().and_then(|n| u32::try_from(n).ok());
    let invocation = InvocationLimits {
        cpu_ms: number("cpuMs"),
        sub_requests: number("subRequests"),
        wall_ms: number("wallMs"),
    };
    WorkerLimits {
        invocation,
        memory_mb: number("memoryMb"),
        storage_mb: number("storageMb"),
        timers: number("timers"),
        queued_events: number("queuedEvents"),
        log_bytes: number("logBytes"),
    }
}

/// The callback that should give the code threw.
#[op2(fast)]
pub fn op_loader_fail(
    #[cppgc] handle: &LoadedHandle,
    #[string] name: String,
    #[string] message: String,
) {
    handle.worker.fail(thrown(name, message));
}

/// A handle to an entrypoint of a dynamic worker.
#[op2]
pub fn op_loader_entrypoint<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    #[cppgc] handle: &LoadedHandle,
    #[string] name: String,
    #[cppgc] props: Option<&SerializedHandle>,
    #[string] limits: String,
) -> Result<v8::Local<'s, v8::Object>, JsError> {
    let props = props.map(SerializedHandle::value);
    let limits = invocation_limits(&limits)?;
    let source = WorkerSource::Loaded(Rc::clone(&handle.worker));
    Ok(stub::handle(scope, Rc::new(WorkerStub::new(source, Entry { name, props, limits }))))
}

/// What the worker's `env` is made from: a packed value for a dynamic worker, else a JSON text
/// that `js/bindings.js` makes it of.
#[op2]
pub fn op_loader_env<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
) -> Result<v8::Local<'s, v8::Value>, JsError> {
    match &instance(state).code.env {
        Env::Given(env) => {
            let env = SerializedHandle::new(env.clone());
            Ok(cppgc::make_cppgc_object(scope, env).into())
        }
        Env::Configured(bindings) => Ok(v8_text(scope, &bindings.describe())),
    }
}

/// The bytes a `WebAssembly.Module` was compiled from; null for any other object.
#[op2]
pub fn op_loader_wasm_bytes<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    value: v8::Local<'s, v8::Value>,
) -> v8::Local<'s, v8::Value> {
    let Ok(module) = v8::Local::<v8::WasmModuleObject>::try_from(value) else {
        return v8::null(scope).into();
    };
    let compiled = module.get_compiled_module();
    let bytes = Bytes::copy_from_slice(compiled.get_wire_bytes_ref());
    bytes_to_v8(scope, bytes).into()
}

fn text(
    scope: &mut v8::PinScope<'_, '_>,
    list: v8::Local<'_, v8::Array>,
    index: u32,
) -> Result<String, JsError> {
    let value = list.get_index(scope, index);
    match value.and_then(|value| v8::Local::<v8::String>::try_from(value).ok()) {
        Some(text) => Ok(text.to_rust_string_lossy(scope)),
        None => Err(Error::bug(format!("module list entry {index}")).into()),
    }
}

fn data(
    scope: &mut v8::PinScope<'_, '_>,
    list: v8::Local<'_, v8::Array>,
    index: u32,
) -> Result<Vec<u8>, JsError> {
    let value = list.get_index(scope, index);
    let view = value.and_then(|value| v8::Local::<v8::Uint8Array>::try_from(value).ok());
    let view = view.ok_or_else(|| Error::bug(format!("module list entry {index}")))?;
    let mut bytes = vec![0; view.byte_length()];
    let copied = view.copy_contents(&mut bytes);
    bytes.truncate(copied);
    Ok(bytes)
}

const KNOWN: i32 = 0;
const NEW: i32 = 1;
const TO_CHECK: i32 = 2;
