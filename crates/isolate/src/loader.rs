//! Module resolution inside one bundle (`spec/workers.md` WL-22): relative specifiers against
//! the importing module, bare ones against the bundle, `cloudflare:*` from the runtime; nothing
//! else can be imported.
//!
//! deno_core registers a module without import attribute under its own type and then fails to
//! link it, while Workers import JSON, text and data without attributes. So such a module is
//! served as a small ES module that imports the content by a second, private URL.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;

use std::sync::Arc;

use deno_core::error::ModuleLoaderError;
use deno_core::url::Url;
use deno_core::{
    ModuleLoadOptions, ModuleLoadReferrer, ModuleLoadResponse, ModuleLoader, ModuleSource,
    ModuleSourceCode, ModuleSpecifier, ModuleType, ResolutionKind,
};
use deno_error::JsErrorBox;

use crate::bundle::{Bundle, Module};
use crate::code_cache::CodeCacheStore;
use crate::engine::Engine;

/// Loads modules of the bundle that was put in; before that, nothing.
pub(crate) struct BundleLoader {
    engine: Arc<Engine>,
    bundle: RefCell<Option<Arc<Bundle>>>,
}

impl BundleLoader {
    pub fn new(engine: Arc<Engine>) -> BundleLoader {
        BundleLoader { engine, bundle: RefCell::new(None) }
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
        match bundle.as_ref()?.modules.get(module_name(url)?)? {
            Module::Js(text) | Module::Text(text) | Module::Json(text) => Some(Arc::clone(text)),
            Module::Data(_) => None,
        }
    }

    fn find(&self, specifier: &str, referrer: &str) -> Option<Url> {
        let bundle = self.bundle.borrow();
        let modules = &bundle.as_ref()?.modules;
        let relative = || Url::parse(referrer).ok()?.join(specifier).ok();
        let absolute = || module_url(specifier.trim_start_matches('/'));
        let known = |url: &Url| module_name(url.as_str()).is_some_and(|n| modules.contains_key(n));
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
                let (module_type, code) = content(modules.get(url.path().get(1..)?)?);
                (module_type, code, None)
            }
            _ => match modules.get(module_name(url.as_str())?)? {
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
            return Url::parse(specifier).map_err(|error| JsErrorBox::type_error(error.to_string()));
        }
        if specifier.starts_with(CONTENT_PREFIX)
            && let Some(name) = module_name(referrer)
            && specifier.strip_prefix(CONTENT_PREFIX) == Some(name)
            && let Ok(url) = Url::parse(specifier)
        {
            return Ok(url);
        }
        self.find(specifier, referrer).ok_or_else(|| {
            let from = module_name(referrer).unwrap_or(referrer);
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
                module_name(url.as_str()).unwrap_or(url.as_str())
            ))
        }))
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
pub(crate) fn module_name(url: &str) -> Option<&str> {
    url.strip_prefix(MODULE_PREFIX)
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
    let content = format!("{CONTENT_PREFIX}{}", module_name(url.as_str()).unwrap_or_default());
    format!("import c from {content:?} with {{ type: \"{kind}\" }};\nexport default c{suffix};\n")
}

const MODULE_PREFIX: &str = "worker:///";
const CONTENT_SCHEME: &str = "content";
const CONTENT_PREFIX: &str = "content:///";
/// Modules that the runtime itself provides.
const RUNTIME_MODULES: &[&str] = &["cloudflare:workers"];
