//! What CommonJS needs of the bundle: which module a specifier means, and its compiled source.

use std::sync::Arc;

use deno_core::v8::script_compiler::{CompileOptions, NoCacheReason, Source, compile_function};
use deno_core::{OpState, op2, v8};
use isolate::{Module, module_url};
use worker::error::Error;

use crate::dispatch::instance;
use crate::error::JsError;
use crate::request::v8_text;

/// What `require(specifier)` in module `referrer` means: `[name, ""]` for a CommonJS module,
/// `["", url]` for what the engine loads, two empty strings for nothing.
#[op2]
pub fn op_modules_find<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    #[string] specifier: String,
    #[string] referrer: String,
) -> v8::Local<'s, v8::Array> {
    let bundle = &instance(state).code.bundle;
    let name = bundle.resolve(&specifier, &referrer).unwrap_or_default();
    let (name, url) = match bundle.modules.get(name) {
        Some(Module::Cjs(_)) => (name, String::new()),
        Some(_) => ("", module_url(name).map(String::from).unwrap_or_default()),
        None if specifier.contains(':') => ("", specifier),
        None => ("", String::new()),
    };
    let found = [v8_text(scope, name), v8_text(scope, &url)];
    v8::Array::new_with_elements(scope, &found)
}

/// A CommonJS module as a function of `exports, require, module, __filename, __dirname`. A source
/// that does not compile leaves its exception pending.
#[op2]
pub fn op_modules_compile<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    #[string] name: String,
) -> Result<v8::Local<'s, v8::Value>, JsError> {
    let bundle = Arc::clone(&instance(state).code.bundle);
    let (Some(Module::Cjs(source)), Some(url)) = (bundle.modules.get(&name), module_url(&name))
    else {
        return Err(Error::bug(format!("no CommonJS module {name}")).into());
    };
    let code = v8::String::new(scope, source);
    let code = code.ok_or_else(|| JsError::type_error(format!("\"{name}\" is too long.")))?;
    let resource = v8_text(scope, url.as_str());
    let origin =
        v8::ScriptOrigin::new(scope, resource, 0, 0, false, 0, None, false, false, false, None);
    let mut source = Source::new(code, Some(&origin));
    let arguments = ARGUMENTS.map(|name| v8::String::new(scope, name).unwrap_or(code));
    let (options, reason) = (CompileOptions::NoCompileOptions, NoCacheReason::NoReason);
    let body = compile_function(scope, &mut source, &arguments, &[], options, reason);
    Ok(body.map_or_else(|| v8::undefined(scope).into(), Into::into))
}

const ARGUMENTS: [&str; 5] = ["exports", "require", "module", "__filename", "__dirname"];
