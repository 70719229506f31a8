//! What a configured worker finds in its `env`, and which of its classes have storage.
//!
//! Everything is a name and a place in [`crate::configured::Configured`]; a worker reaches what
//! is listed here and nothing else (`spec/workers.md` §3.5, §3.7, §6.8).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The `env` of a configured worker, by the names of its bindings.
#[derive(Debug, Clone, Default)]
pub struct Bindings {
    /// The worker's own place in the list of configured workers.
    pub place: usize,
    /// Variables, secrets and whatever else is plain data.
    pub values: Map<String, Value>,
    /// Worker loaders.
    pub loaders: Vec<String>,
    /// Namespaces of Durable Objects, with their unique keys.
    pub namespaces: BTreeMap<String, String>,
    /// Entrypoints of configured workers.
    pub services: BTreeMap<String, Service>,
    /// Classes of configured workers, for facets.
    pub actor_classes: BTreeMap<String, Service>,
    /// `ArrayBuffer`s, in Base64.
    pub data: BTreeMap<String, String>,
    /// What the configuration binds and Beryl has not, with its kind; any use throws.
    pub unsupported: BTreeMap<String, String>,
    /// True for what `beryl test` runs.
    pub is_tested: bool,
    /// Where the worker's own classes keep their objects.
    pub classes: Classes,
}

/// An entrypoint of a configured worker.
#[derive(Debug, Clone)]
pub struct Service {
    /// The worker's place in the list of configured workers.
    pub worker: usize,
    /// The export's name; empty for the default export.
    pub entrypoint: String,
    /// `ctx.props` for its events.
    pub props: Option<Value>,
}

/// Which classes of a worker have a namespace.
#[derive(Debug, Clone, Default)]
pub enum Classes {
    /// All of them; the unique key is the class name. What a script has without configuration.
    #[default]
    All,
    /// These, with their unique keys.
    Listed(BTreeMap<String, String>),
}

impl Bindings {
    /// The bindings of a worker that runs without configuration: variables, and a loader by the
    /// name `LOADER`.
    #[must_use]
    pub fn unconfigured(values: Map<String, Value>) -> Bindings {
        Bindings { values, loaders: vec!["LOADER".into()], ..Bindings::default() }
    }

    /// What the isolate makes `env` of, as a JSON text.
    #[must_use]
    pub fn describe(&self) -> String {
        let props = |service: &Service| service.props.clone().unwrap_or_else(|| json!({}));
        let services: Map<String, Value> =
            self.services.iter().map(|(name, service)| (name.clone(), props(service))).collect();
        let actor_classes: Map<String, Value> = self
            .actor_classes
            .iter()
            .map(|(name, class)| (name.clone(), class.props.clone().unwrap_or_default()))
            .collect();
        let classes = match &self.classes {
            Classes::All => Value::Null,
            Classes::Listed(keys) => json!(keys),
        };
        let description = json!({
            "values": self.values,
            "loaders": self.loaders,
            "namespaces": self.namespaces,
            "services": services,
            "actorClasses": actor_classes,
            "data": self.data,
            "unsupported": self.unsupported,
            "classes": classes,
        });
        description.to_string()
    }
}
