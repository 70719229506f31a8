//! Modules that the engine has no kind of its own for: WebAssembly as the platform gives it, a
//! `WebAssembly.Module` nobody has instantiated, and CommonJS.
//!
//! What is in the bundle is compiled by us at any time; user code may make WebAssembly from
//! bytes while it starts, as with code from strings, and no longer afterwards.

use std::borrow::Cow;

use deno_core::{CustomModuleEvaluationKind, FastString, ModuleSourceCode, v8};
use deno_error::JsErrorBox;

use crate::loader::content_name;

/// The function of the bootstrap that runs a CommonJS module by its name.
pub(crate) struct CjsRunner(pub v8::Global<v8::Function>);

/// Forbids WebAssembly from bytes where code from strings is forbidden.
pub(crate) fn restrict_wasm(isolate: &mut v8::Isolate) {
    isolate.set_allow_wasm_code_generation_callback(may_compile);
}

extern "C" fn may_compile(context: v8::Local<v8::Context>, _source: v8::Local<v8::String>) -> bool {
    context.is_code_generation_from_strings_allowed()
}

/// Makes the value of a module of one of our kinds.
pub(crate) fn evaluate(
    scope: &mut v8::PinScope<'_, '_>,
    kind: Cow<'_, str>,
    url: &FastString,
    code: ModuleSourceCode,
) -> Result<CustomModuleEvaluationKind, JsErrorBox> {
    let value = match &*kind {
        KIND_WASM => wasm(scope, code.as_bytes())?,
        KIND_CJS => common_js(scope, url.as_str())?,
        other => return Err(JsErrorBox::type_error(format!("no module has the type {other:?}"))),
    };
    Ok(CustomModuleEvaluationKind::Synthetic(v8::Global::new(scope, value)))
}

fn wasm<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    bytes: &[u8],
) -> Result<v8::Local<'s, v8::Value>, JsErrorBox> {
    v8::tc_scope!(let caught, scope);
    if let Some(module) = v8::WasmModuleObject::compile(caught, bytes) {
        return Ok(module.into());
    }
    let text = caught.message().map(|message| message.get(caught).to_rust_string_lossy(caught));
    let text = text.unwrap_or_else(|| "the WebAssembly module cannot be compiled".into());
    let text = text.strip_prefix("Uncaught CompileError: ").unwrap_or(&text).to_owned();
    Err(JsErrorBox::new("CompileError", text))
}

/// A function that runs the module, at most once, and gives its exports.
fn common_js<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    url: &str,
) -> Result<v8::Local<'s, v8::Value>, JsErrorBox> {
    let broken = || JsErrorBox::generic("the runtime cannot run CommonJS modules");
    let prepare = scope.get_slot::<CjsRunner>().ok_or_else(broken)?.0.clone();
    let prepare = v8::Local::new(scope, prepare);
    let name = content_name(url).ok_or_else(broken)?;
    let name = v8::String::new(scope, &name).ok_or_else(broken)?;
    let receiver = v8::undefined(scope).into();
    prepare.call(scope, receiver, &[name.into()]).ok_or_else(broken)
}

/// The import attribute of WebAssembly modules.
pub(crate) const KIND_WASM: &str = "wasm-module";
/// The import attribute of CommonJS modules.
pub(crate) const KIND_CJS: &str = "cjs";
