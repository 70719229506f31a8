//! The modules an isolate can load, by the names their author gave them.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A worker's modules; nothing outside of it can be imported, apart from the runtime's own.
#[derive(Debug)]
pub struct Bundle {
    /// The module that is evaluated first; always a key of `modules`.
    pub main_module: String,
    /// All modules by name, e.g. `dir/app.js`.
    pub modules: BTreeMap<String, Module>,
}

/// What a module holds and what `import x from` gives.
#[derive(Debug, Clone)]
pub enum Module {
    /// An ES module.
    Js(Arc<str>),
    /// A string as default export.
    Text(Arc<str>),
    /// A JSON text, parsed as default export.
    Json(Arc<str>),
    /// An `ArrayBuffer` as default export.
    Data(Arc<[u8]>),
}

impl Module {
    /// The content as bytes, UTF-8 for texts.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Module::Js(text) | Module::Text(text) | Module::Json(text) => text.as_bytes(),
            Module::Data(bytes) => bytes,
        }
    }
}
