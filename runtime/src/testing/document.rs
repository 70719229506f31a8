//! The JSON document that describes services to test, exactly as it was written.
//!
//! It is what `runtime/tests/conformance/wdtest2json.py` makes of a configuration of workerd; keys
//! that mean nothing to Beryl are not looked at.

use serde::Deserialize;
use serde_json::Value;

/// Services of one process.
#[derive(Debug, Deserialize)]
pub struct Document {
    /// In the order in which their tests run.
    pub services: Vec<ServiceEntry>,
}

/// One service, a worker or something else.
#[derive(Debug, Deserialize)]
pub struct ServiceEntry {
    /// The name that others know it by.
    pub name: String,
    /// `worker`, `network`, `external` or `disk`.
    pub kind: String,
    /// What a worker is made of.
    pub worker: Option<WorkerEntry>,
    /// What a network reaches.
    pub network: Option<NetworkEntry>,
}

/// The settings of a network.
#[derive(Debug, Deserialize)]
pub struct NetworkEntry {
    /// Kinds of addresses.
    #[serde(default)]
    pub allow: Vec<String>,
}

/// A worker.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerEntry {
    /// The first one is the main module.
    #[serde(default)]
    pub modules: Vec<ModuleEntry>,
    /// The date whose behaviour it asks for.
    pub compatibility_date: Option<String>,
    /// Behaviours besides; an entry that is no text is a template nobody filled in.
    #[serde(default)]
    pub compatibility_flags: Vec<Value>,
    /// Its `env`.
    #[serde(default)]
    pub bindings: Vec<BindingEntry>,
    /// Its classes with namespaces.
    #[serde(default)]
    pub durable_object_namespaces: Vec<NamespaceEntry>,
    /// Where its global `fetch()` goes.
    pub global_outbound: Option<Designator>,
    /// Who hears of its events.
    #[serde(default)]
    pub tails: Vec<Designator>,
}

/// A module, by path or with its content.
#[derive(Debug, Deserialize)]
pub struct ModuleEntry {
    /// By which others import it.
    pub name: Option<String>,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Names that a CommonJS module exports besides its default export.
    #[serde(default, rename = "namedExports")]
    pub named_exports: Vec<String>,
    /// Where and what its content is.
    #[serde(flatten)]
    pub content: Content,
}

/// A content, by path or in place.
#[derive(Debug, Default, Deserialize)]
pub struct Content {
    /// A file, relative to the document.
    pub path: Option<String>,
    /// A text.
    pub text: Option<String>,
    /// Bytes.
    pub base64: Option<String>,
}

/// A binding.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BindingEntry {
    /// Its name in `env`.
    pub name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// Of services and what is reached like one.
    pub service: Option<Designator>,
    /// Of JSON bindings.
    pub value: Option<Value>,
    /// Of values of the process's environment.
    pub variable: Option<String>,
    /// Of namespaces: the class.
    pub class_name: Option<String>,
    /// Of namespaces: the service that exports it, if it is another one.
    pub service_name: Option<String>,
    /// Of texts and bytes.
    #[serde(flatten)]
    pub content: Content,
}

/// A class with a namespace.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceEntry {
    /// The export.
    pub class_name: String,
    /// What ids of its objects are made of; none for objects without storage.
    pub unique_key: Option<String>,
}

/// An entrypoint of a service.
#[derive(Debug, Clone, Deserialize)]
pub struct Designator {
    /// The service.
    pub name: String,
    /// The export; the default export if it is not given.
    pub entrypoint: Option<String>,
    /// `ctx.props` of its events.
    pub props: Option<Value>,
}
