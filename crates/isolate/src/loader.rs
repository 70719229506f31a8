//! Module resolution inside one bundle (`spec/workers.md` WL-22): relative specifiers against
//! the importing module, bare ones against the bundle, `cloudflare:*` from the runtime; nothing
//! else can be imported.
//!
//! deno_core registers a module without import attribute under its own type and then fails to
//! link it, while Workers import JSON, text and data without attributes. So such a module is
//! served as a small ES module that imports the content by a second, private URL.

use std::borrow::Cow;
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;

use std::sync::Arc;

use deno_core::error::ModuleLoaderError;
use deno_core::url::Url;
use deno_core::{
    ModuleLoadOptions, ModuleLoadReferrer, ModuleLoadResponse, ModuleLoader, ModuleSource,
    ModuleSourceCode, ModuleSpecifier, ModuleType, ResolutionKind, SourceCodeCacheInfo,
};
use deno_error::JsErrorBox;
use percent_encoding::percent_decode_str;

use crate::bundle::{Bundle, Module};
use crate::code_cache::CodeCacheStore;
use crate::engine::Engine;
use crate::error::SourcePosition;

/// Loads modules of the bundle that was put in; before that, nothing.
pub(crate) struct BundleLoader {
    engine: Arc<Engine>,
    bundle: RefCell<Option<Arc<Bundle>>>,
    /// The last import that was not found: specifier and importing module.
    missing: RefCell<Option<(String, String)>>,
}

impl BundleLoader {
    pub fn new(engine: Arc<Engine>) -> BundleLoader {
        BundleLoader { engine, bundle: RefCell::default(), missing: RefCell::default() }
    }

    pub fn set(&self, bundle: Arc<Bundle>) {
        *self.bundle.borrow_mut() = Some(bundle);
    }

    /// The engine's URL of the main module.
    pub fn main_url(&self) -> Option<Url> {
        module_url(&self.bundle.borrow().as_ref()?.main_module)
    }

    /// The source text of a module by its URL, for error frames.
    pub fn source(&self, url: &str) -> Option<Arc<str>> {
        let bundle = self.bundle.borrow();
        match bundle.as_ref()?.modules.get(&*module_name(url)?)? {
            Module::Js(text) | Module::Text(text) | Module::Json(text) => Some(Arc::clone(text)),
            Module::Data(_) => None,
        }
    }

    /// Where in the source the import stands that was not found; the engine does not say.
    pub fn missing_import(&self) -> Option<SourcePosition> {
        let (specifier, module) = self.missing.take()?;
        let source = self.source(module_url(&module)?.as_str())?;
        let quoted = [format!("\"{specifier}\""), format!("'{specifier}'")];
        let at = quoted.iter().find_map(|text| source.find(text.as_str()))?;
        let before = &source[..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Some(SourcePosition {
            module,
            line: u32::try_from(before.matches('\n').count() + 1).ok()?,
            column: u32::try_from(before[line_start..].chars().count() + 1).ok()?,
        })
    }

    fn find(&self, specifier: &str, referrer: &str) -> Option<Url> {
        let bundle = self.bundle.borrow();
        let modules = &bundle.as_ref()?.modules;
        let relative = || Url::parse(referrer).ok()?.join(specifier).ok();
        let absolute = || module_url(specifier.trim_start_matches('/'));
        let known =
            |url: &Url| module_name(url.as_str()).is_some_and(|name| modules.contains_key(&*name));
        let is_relative = specifier.starts_with("./") || specifier.starts_with("../");
        if is_relative {
            return relative().filter(known);
        }
        absolute().filter(known).or_else(|| relative().filter(known))
    }

    fn read(&self, url: &Url) -> Option<ModuleSource> {
        let bundle = self.bundle.borrow();
        let modules = &bundle.as_ref()?.modules;
        let (module_type, code, cache) = match url.scheme() {
            CONTENT_SCHEME => {
                let (module_type, code) = content(modules.get(&*decode(url.path().get(1..)?)?)?);
                (module_type, code, None)
            }
            _ => match modules.get(&*module_name(url.as_str())?)? {
                Module::Js(text) => {
                    let cache = self.engine.code_cache.look_up(text);
                    let code = ModuleSourceCode::String(Arc::clone(text).into());
                    (ModuleType::JavaScript, code, cache)
                }
                module => {
                    let code = ModuleSourceCode::String(shim(module, url).into());
                    (ModuleType::JavaScript, code, None)
                }
            },
        };
        Some(ModuleSource::new(module_type, code, url, cache))
    }
}

impl ModuleLoader for BundleLoader {
    fn resolve(
        &self,
        specifier: &str,
        referrer: &str,
        kind: ResolutionKind,
    ) -> Result<ModuleSpecifier, ModuleLoaderError> {
        if kind == ResolutionKind::MainModule
            && let Ok(url) = Url::parse(specifier)
        {
            return Ok(url);
        }
        if RUNTIME_MODULES.contains(&specifier) {
            return Url::parse(specifier)
                .map_err(|error| JsErrorBox::type_error(error.to_string()));
        }
        if let Some(name) = specifier.strip_prefix(CONTENT_PREFIX)
            && module_name(referrer).is_some_and(|own| own == name)
            && let Ok(url) = Url::parse(specifier)
        {
            return Ok(url);
        }
        self.find(specifier, referrer).ok_or_else(|| {
            let from = module_name(referrer).unwrap_or(referrer.into());
            self.missing.replace(Some((specifier.into(), from.to_string())));
            JsErrorBox::type_error(format!(
                "No such module \"{specifier}\".\n  imported from \"{from}\""
            ))
        })
    }

    fn load(
        &self,
        url: &ModuleSpecifier,
        _referrer: Option<&ModuleLoadReferrer>,
        _options: ModuleLoadOptions,
    ) -> ModuleLoadResponse {
        ModuleLoadResponse::Sync(self.read(url).ok_or_else(|| {
            JsErrorBox::type_error(format!(
                "No such module \"{}\".",
                module_name(url.as_str()).unwrap_or(url.as_str().into())
            ))
        }))
    }

    /// For the runtime's own scripts that are compiled when something first needs them.
    fn get_code_cache(
        &self,
        _specifier: &ModuleSpecifier,
        source: &str,
    ) -> Option<SourceCodeCacheInfo> {
        self.engine.code_cache.look_up(source)
    }

    fn code_cache_ready(
        &self,
        _specifier: ModuleSpecifier,
        hash: u64,
        code: &[u8],
    ) -> Pin<Box<dyn Future<Output = ()>>> {
        let store: CodeCacheStore = self.engine.code_cache.store();
        store.put(hash, code);
        Box::pin(std::future::ready(()))
    }
}

/// The URL under which the engine knows a module.
pub(crate) fn module_url(name: &str) -> Option<Url> {
    Url::parse(&format!("{MODULE_PREFIX}{name}")).ok()
}

/// The author's name of the module at an engine URL.
pub(crate) fn module_name(url: &str) -> Option<Cow<'_, str>> {
    decode(url.strip_prefix(MODULE_PREFIX)?)
}

/// Names have no percent sign of their own, so what is encoded the engine encoded.
fn decode(path: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(path).decode_utf8().ok()
}

fn content(module: &Module) -> (ModuleType, ModuleSourceCode) {
    match module {
        Module::Js(text) => {
            (ModuleType::JavaScript, ModuleSourceCode::String(Arc::clone(text).into()))
        }
        Module::Text(text) => (ModuleType::Text, ModuleSourceCode::String(Arc::clone(text).into())),
        Module::Json(text) => (ModuleType::Json, ModuleSourceCode::String(Arc::clone(text).into())),
        Module::Data(bytes) => {
            (ModuleType::Bytes, ModuleSourceCode::Bytes(bytes.to_vec().into_boxed_slice().into()))
        }
    }
}

fn shim(module: &Module, url: &Url) -> String {
    let (kind, suffix) = match module {
        Module::Js(_) | Module::Json(_) => ("json", ""),
        Module::Text(_) => ("text", ""),
        // Workers give an ArrayBuffer, the engine a Uint8Array over one.
        Module::Data(_) => ("bytes", ".buffer"),
    };
    let name = module_name(url.as_str()).unwrap_or_default();
    let content = format!("{CONTENT_PREFIX}{name}");
    format!("import c from {content:?} with {{ type: \"{kind}\" }};\nexport default c{suffix};\n")
}

const MODULE_PREFIX: &str = "worker:///";
const CONTENT_SCHEME: &str = "content";
const CONTENT_PREFIX: &str = "content:///";
/// Modules that the runtime itself provides.
const RUNTIME_MODULES: &[&str] = &["cloudflare:workers"];
