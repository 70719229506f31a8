//! The code of a worker and the checks of `spec/workers.md` §1.3–1.4 on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use isolate::Bundle;
pub use isolate::Module;
use sha2::{Digest, Sha256};

use crate::bindings::Bindings;
use crate::entrypoint::Serialized;
use crate::error::Error;
use crate::limits::CODE_BYTES_MAX;
use crate::outbound::Outbound;

/// What a worker is made of; shared by all isolates that run it.
#[derive(Debug, Clone)]
pub struct WorkerCode {
    /// The modules.
    pub bundle: Arc<Bundle>,
    /// What the code finds as `env`.
    pub env: Env,
    /// What its global `fetch()` reaches.
    pub outbound: Outbound,
    /// A name for logs, e.g. `counter@3` for version 3 of the app `counter`.
    pub name: Arc<str>,
}

/// Where a worker's `env` comes from.
#[derive(Debug, Clone)]
pub enum Env {
    /// A configured worker: what its configuration binds.
    Configured(Arc<Bindings>),
    /// A dynamic worker: what its supervisor passed.
    Given(Serialized),
}

impl Env {
    /// The bindings of a configured worker.
    #[must_use]
    pub fn bindings(&self) -> Option<&Bindings> {
        match self {
            Env::Configured(bindings) => Some(bindings),
            Env::Given(_) => None,
        }
    }
}

/// Checks modules against the rules that hold for every worker.
///
/// # Errors
/// [`Error::AppCode`] with the platform's wording: no module at all (WL-14), no main module
/// (WL-20), more than 64 MiB (WL-21), or a name that leaves the bundle (`..`).
pub fn check_bundle(
    main_module: String,
    modules: BTreeMap<String, Module>,
) -> Result<Bundle, Error> {
    if modules.is_empty() {
        let message = "Dynamic Worker code must contain at least one module.";
        return Err(Error::app_code("TypeError", message));
    }
    if let Some(name) = modules.keys().find(|name| !is_module_name(name)) {
        let message = format!(
            "Module name \"{name}\" must be a relative path without empty, \".\" or \"..\" \
             segments."
        );
        return Err(Error::app_code("TypeError", message));
    }
    if !modules.contains_key(&main_module) {
        let message = format!("Main module name is not present in bundle: \"{main_module}\".");
        return Err(Error::app_code("TypeError", message));
    }
    if !matches!(modules.get(&main_module), Some(Module::Js(_))) {
        return Err(Error::app_code("TypeError", "Main module must be an ES module."));
    }
    let bytes: usize = modules.values().map(|module| module.bytes().len()).sum();
    if bytes > CODE_BYTES_MAX {
        let message = format!(
            "Dynamic Worker code size ({bytes} bytes) exceeds the maximum allowed size of \
             {CODE_BYTES_MAX} bytes."
        );
        return Err(Error::app_code("Error", message));
    }
    Ok(Bundle { main_module, modules })
}

/// SHA-256 over names, kinds and contents, as 64 hex digits: equal code, equal hash.
#[must_use]
pub fn hash(bundle: &Bundle) -> String {
    let mut hasher = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(bundle.main_module.as_bytes());
    for (name, module) in &bundle.modules {
        part(name.as_bytes());
        part(kind(module).as_bytes());
        part(module.bytes());
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn kind(module: &Module) -> &'static str {
    match module {
        Module::Js(_) => "js",
        Module::Text(_) => "text",
        Module::Json(_) => "json",
        Module::Data(_) => "data",
    }
}

/// A module name is a relative path in the bundle; it can name nothing outside of it.
#[must_use]
pub fn is_module_name(name: &str) -> bool {
    !name.contains(['\\', '\0', '?', '#', '%'])
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(main: &str, names: &[&str]) -> Result<Bundle, Error> {
        let module = || Module::Js("export default {}".into());
        check_bundle(main.into(), names.iter().map(|n| ((*n).into(), module())).collect())
    }

    #[test]
    fn names_that_leave_the_bundle_are_refused() {
        for name in ["../a.js", "/a.js", "a//b.js", "a/../b.js", "./a.js", "a\\b.js", "", "a\0"] {
            let error = check(name, &[name]).unwrap_err();
            assert!(error.to_string().contains("must be a relative path"), "{name}: {error}");
        }
        assert!(check("dir/a.js", &["dir/a.js"]).is_ok());
    }

    #[test]
    fn a_bundle_needs_its_main_module() {
        let error = check("app.js", &["other.js"]).unwrap_err();
        assert!(error.to_string().contains("Main module name is not present in bundle"));
        assert!(check("app.js", &[]).unwrap_err().to_string().contains("at least one module"));
    }

    #[test]
    fn the_hash_changes_with_name_kind_and_content() {
        let hash_of = |main: &str, module| {
            hash(&Bundle { main_module: main.into(), modules: [(main.into(), module)].into() })
        };
        let text = hash_of("a", Module::Text("x".into()));
        assert_eq!(text, hash_of("a", Module::Text("x".into())));
        assert_ne!(text, hash_of("b", Module::Text("x".into())));
        assert_ne!(text, hash_of("a", Module::Js("x".into())));
        assert_ne!(text, hash_of("a", Module::Text("y".into())));
    }
}
