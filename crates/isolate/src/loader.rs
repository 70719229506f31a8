//! Module resolution inside one bundle (`spec/workers.md` WL-22): relative specifiers against
//! the importing module, bare ones against the bundle, `cloudflare:*` and the libraries of
//! [`crate::provided`] from the runtime; nothing else can be imported.
//!
//! deno_core registers a module without import attribute under its own type and then fails to
//! link it, while Workers import JSON, text and data without attributes. So such a module is
//! served as a small ES module that imports the content by a second, private URL.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;

use std::sync::Arc;

use deno_core::error::ModuleLoaderError;
use deno_core::url::Url;
use deno_core::{
    ModuleLoadOptions, ModuleLoadReferrer, ModuleLoadResponse, ModuleLoader, ModuleSource,
    ModuleSourceCode, ModuleSpecifier, ModuleType, RequestedModuleType, ResolutionKind,
    SourceCodeCacheInfo,
};
use deno_error::JsErrorBox;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::bundle::{Bundle, Module};
use crate::code_cache::CodeCacheStore;
use crate::engine::Engine;
use crate::error::SourcePosition;
use crate::evaluation::{KIND_CJS, KIND_WASM};
use crate::node::NodeCompat;
use crate::provided;

/// Loads modules of the bundle that was put in; before that, nothing.
pub(crate) struct BundleLoader {
    engine: Arc<Engine>,
    bundle: RefCell<Option<Arc<Bundle>>>,
    node: Cell<NodeCompat>,
    /// The last import that was not found: specifier and importing module.
    missing: RefCell<Option<(String, String)>>,
}

impl BundleLoader {
    pub fn new(engine: Arc<Engine>) -> BundleLoader {
        BundleLoader {
            engine,
            bundle: RefCell::default(),
            node: Cell::default(),
            missing: RefCell::default(),
        }
    }

    /// Says which modules of Node.js can be imported.
    pub fn allow_node(&self, node: NodeCompat) {
        self.node.set(node);
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
            Module::Js(text) | Module::Cjs(text) | Module::Text(text) | Module::Json(text) => {
                Some(Arc::clone(text))
            }
            Module::Data(_) | Module::Wasm(_) => None,
        }
    }

    /// Where in the source the import stands that was not found; the engine does not say.
    pub fn missing_import(&self) -> Option<SourcePosition> {
        let (specifier, module) = self.missing.take()?;
        let source = self.source(module_url(&module)?.as_str())?;
        let quoted = [format!("\"{specifier}\""), format!("'{specifier}'")];
        let at = quoted.iter().find_map(|text| source.find(text.as_str()))?;
        Some(SourcePosition::at(&module, &source, at))
    }

    fn find(&self, specifier: &str, referrer: &str) -> Option<Url> {
        let bundle = self.bundle.borrow();
        let name = bundle.as_ref()?.resolve(specifier, &module_name(referrer)?)?;
        module_url(name)
    }

    fn read(&self, url: &Url, requested: &RequestedModuleType) -> Option<ModuleSource> {
        let bundle = self.bundle.borrow();
        let modules = &bundle.as_ref()?.modules;
        let (module_type, code, cache) = match url.scheme() {
            CONTENT_SCHEME => {
                let (module_type, code) = content(modules.get(&*decode(url.path().get(1..)?)?)?);
                (module_type, code, None)
            }
            PROVIDED_SCHEME => self.script(&provided::source(url.as_str())?),
            _ => match modules.get(&*module_name(url.as_str())?)? {
                Module::Js(text) => self.script(text),
                // An import that names the type gets the content itself.
                module if *requested != RequestedModuleType::None => {
                    let (module_type, code) = content(module);
                    (module_type, code, None)
                }
                module => {
                    let code = ModuleSourceCode::String(shim(module, url).into());
                    (ModuleType::JavaScript, code, None)
                }
            },
        };
        Some(ModuleSource::new(module_type, code, url, cache))
    }

    fn script(&self, text: &Arc<str>) -> Loaded {
        let cache = self.engine.code_cache.look_up(text);
        let code = ModuleSourceCode::String(Arc::clone(text).into());
        (ModuleType::JavaScript, code, cache)
    }
}

type Loaded = (ModuleType, ModuleSourceCode, Option<SourceCodeCacheInfo>);

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
        let node = self.node.get();
        let of_node = node.find(specifier).filter(|_| specifier.starts_with("node:"));
        let own = RUNTIME_MODULES.contains(&specifier).then(|| specifier.to_owned());
        if let Some(url) = own.or(of_node) {
            return Url::parse(&url).map_err(|error| JsErrorBox::type_error(error.to_string()));
        }
        // `require` of a module that the runtime found; no module is called ".".
        let is_required = referrer == "." && specifier.starts_with(MODULE_PREFIX);
        let is_content = specifier
            .strip_prefix(CONTENT_PREFIX)
            .is_some_and(|path| referrer.strip_prefix(MODULE_PREFIX) == Some(path));
        if (is_required || is_content)
            && let Ok(url) = Url::parse(specifier)
        {
            return Ok(url);
        }
        let bare = || node.find(specifier).and_then(|url| Url::parse(&url).ok());
        let provided = || provided::url(specifier).and_then(|url| Url::parse(url).ok());
        let found = self.find(specifier, referrer).or_else(bare).or_else(provided);
        found.ok_or_else(|| {
            let from = module_name(referrer).unwrap_or(referrer.into());
            self.missing.replace(Some((specifier.into(), from.to_string())));
            let hint = node.hint(specifier).map_or_else(String::new, |hint| format!("\n  {hint}"));
            JsErrorBox::type_error(format!(
                "No such module \"{specifier}\".\n  imported from \"{from}\"{hint}"
            ))
        })
    }

    fn load(
        &self,
        url: &ModuleSpecifier,
        _referrer: Option<&ModuleLoadReferrer>,
        options: ModuleLoadOptions,
    ) -> ModuleLoadResponse {
        ModuleLoadResponse::Sync(self.read(url, &options.requested_module_type).ok_or_else(|| {
            JsErrorBox::type_error(format!(
                "No such module \"{}\".",
                module_name(url.as_str()).unwrap_or(url.as_str().into())
            ))
        }))
    }

    /// For the runtime's own scripts that are compiled when something first needs them.
    fn get_code_cache(
        &self,
        specifier: &ModuleSpecifier,
        _source: &str,
    ) -> Option<SourceCodeCacheInfo> {
        // There is one source of a name, and the name is shorter.
        self.engine.code_cache.look_up(specifier.as_str())
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
#[must_use]
pub fn module_url(name: &str) -> Option<Url> {
    Url::parse(&format!("{MODULE_PREFIX}{}", utf8_percent_encode(name, ENCODED))).ok()
}

/// The author's name of the module at an engine URL.
pub(crate) fn module_name(url: &str) -> Option<Cow<'_, str>> {
    decode(url.strip_prefix(MODULE_PREFIX)?)
}

/// The author's name of the module whose content an engine URL means.
pub(crate) fn content_name(url: &str) -> Option<Cow<'_, str>> {
    decode(url.strip_prefix(CONTENT_PREFIX)?)
}

fn decode(path: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(path).decode_utf8().ok()
}

fn content(module: &Module) -> (ModuleType, ModuleSourceCode) {
    let text = |text: &Arc<str>| ModuleSourceCode::String(Arc::clone(text).into());
    let bytes = |bytes: &[u8]| ModuleSourceCode::Bytes(bytes.to_vec().into_boxed_slice().into());
    match module {
        Module::Js(source) => (ModuleType::JavaScript, text(source)),
        Module::Text(source) => (ModuleType::Text, text(source)),
        Module::Json(source) => (ModuleType::Json, text(source)),
        Module::Data(source) => (ModuleType::Bytes, bytes(source)),
        // Its source is compiled when it runs; what is made here only runs it.
        Module::Cjs(_) => (ModuleType::Other(KIND_CJS.into()), bytes(b"")),
        Module::Wasm(source) => (ModuleType::Other(KIND_WASM.into()), bytes(source)),
    }
}

fn shim(module: &Module, url: &Url) -> String {
    let (kind, suffix) = match module {
        Module::Js(_) | Module::Json(_) => ("json", ""),
        Module::Text(_) => ("text", ""),
        // Workers give an ArrayBuffer, the engine a Uint8Array over one.
        Module::Data(_) => ("bytes", ".buffer"),
        Module::Cjs(_) => (KIND_CJS, "()"),
        Module::Wasm(_) => (KIND_WASM, ""),
    };
    let name = url.path().trim_start_matches('/');
    let content = format!("{CONTENT_PREFIX}{name}");
    format!("import c from {content:?} with {{ type: \"{kind}\" }};\nexport default c{suffix};\n")
}

/// What a URL would read as something else than the name of a file.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#').add(b'\\').add(b' ').add(b'"');
const MODULE_PREFIX: &str = "worker:///";
const CONTENT_SCHEME: &str = "content";
const PROVIDED_SCHEME: &str = "provided";
const CONTENT_PREFIX: &str = "content:///";
/// Modules that the runtime itself provides.
const RUNTIME_MODULES: &[&str] = &["cloudflare:workers"];
