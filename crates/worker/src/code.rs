//! The code of a worker and the checks of `spec/workers.md` §1.3–1.4 on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use isolate::Bundle;
pub use isolate::{Module, NodeCompat, TYPESCRIPT_ENDINGS, is_typescript};
use sha2::{Digest, Sha256};

use crate::bindings::Bindings;
use crate::capability::Capability;
use crate::compatibility::Compatibility;
use crate::entrypoint::Serialized;
use crate::error::Error;
use crate::limits::CODE_BYTES_MAX;
use crate::meter::InvocationLimits;
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
    /// What it may use of Node.js.
    pub node: NodeCompat,
    /// The behaviours it asks for.
    pub compatibility: Compatibility,
    /// What it may use.
    pub limits: WorkerLimits,
    /// Who hears of its events.
    pub tails: Arc<[Tail]>,
    /// A name for logs, e.g. `counter@3` for version 3 of the app `counter`.
    pub name: Arc<str>,
    /// The app it belongs to, which answers for all it loads; `None` for a configured worker.
    pub app: Option<Arc<str>>,
}

/// A tail worker.
#[derive(Debug, Clone)]
pub struct Tail {
    /// Who it is.
    pub target: Capability,
    /// It hears of everything at once, instead of once an event is over.
    pub is_streaming: bool,
}

impl WorkerCode {
    /// A configured worker: with today's behaviour, without limits of its own and tails.
    #[must_use]
    pub fn new(bundle: Arc<Bundle>, env: Env, outbound: Outbound, name: Arc<str>) -> WorkerCode {
        WorkerCode {
            bundle,
            env,
            outbound,
            node: Compatibility::newest().node(),
            compatibility: Compatibility::newest(),
            limits: WorkerLimits::default(),
            tails: Arc::default(),
            name,
            app: None,
        }
    }
}

/// What a dynamic worker may use, as its supervisor says.
#[derive(Debug, Clone, Copy, Default)]
pub struct WorkerLimits {
    /// Each of its events.
    pub invocation: InvocationLimits,
    /// Its JavaScript heap, in MiB; at most what every worker may have.
    pub memory_mb: Option<u32>,
    /// Each database of its objects, in MiB; at most what every one may have.
    pub storage_mb: Option<u32>,
    /// Timers at a time; at most what every worker may have.
    pub timers: Option<u32>,
    /// Events that may wait; at most what every worker may have.
    pub queued_events: Option<u32>,
    /// Bytes of log in a second; at most what every worker may have.
    pub log_bytes: Option<u32>,
}

impl WorkerLimits {
    /// The lower of a limit of the worker's own and that of all.
    #[must_use]
    pub fn lower(own: Option<u32>, all: usize) -> usize {
        own.map_or(all, |own| all.min(own as usize))
    }
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
    let type_error = |message: String| Err(Error::app_code("TypeError", message));
    if modules.is_empty() {
        return type_error("Dynamic Worker code must contain at least one module.".into());
    }
    let mut named = BTreeMap::new();
    for (name, module) in modules {
        let Some(path) = module_path(&name) else {
            return type_error(format!(
                "Module name \"{name}\" must be a path that does not leave the bundle."
            ));
        };
        if let Some(path) = named.insert(path, module).and_then(|_| module_path(&name)) {
            return type_error(format!("Two modules have the name \"{path}\"."));
        }
    }
    let bytes: usize = named.values().map(|module| module.bytes().len()).sum();
    if bytes > CODE_BYTES_MAX {
        let message = format!(
            "Dynamic Worker code size ({bytes} bytes) exceeds the maximum allowed size of \
             {CODE_BYTES_MAX} bytes."
        );
        return Err(Error::app_code("Error", message));
    }
    let main = module_path(&main_module).filter(|path| named.contains_key(path));
    let Some(main) = main else {
        return type_error(format!(
            "Main module name is not present in bundle: \"{main_module}\"."
        ));
    };
    if !matches!(named.get(&main), Some(Module::Js(_))) {
        return type_error("Main module must be an ES module.".into());
    }
    Ok(Bundle { main_module: main, modules: named })
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
        part(module.kind().as_bytes());
        part(module.bytes());
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A name as a path without `.`, `..` and empty parts; `None` if it names nothing in a bundle.
fn module_path(name: &str) -> Option<String> {
    isolate::join("", name).filter(|path| !path.is_empty() && !path.contains('\0'))
}

/// A strict rule for names that are also looked at in other places than a bundle: a relative
/// path, written in one way only.
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
        for name in ["../a.js", "a/../../b.js", "", "/", "./", "a\0"] {
            let error = check(name, &[name]).unwrap_err();
            assert!(error.to_string().contains("does not leave the bundle"), "{name}: {error}");
        }
        assert!(check("./a.js", &["a.js", "./a.js"]).unwrap_err().to_string().contains("Two"));
    }

    #[test]
    fn names_are_paths_however_they_are_written() {
        for name in ["dir/a.js", "./dir/a.js", "dir//x/../a.js", "/dir/a.js"] {
            let bundle = check(name, &[name]).unwrap();
            assert_eq!(bundle.main_module, "dir/a.js");
            assert!(bundle.modules.contains_key("dir/a.js"));
        }
        for name in ["a b.js", "a%20b.js", "a.js?x#y", "@scope/a", "a\\b"] {
            assert_eq!(check(name, &[name]).unwrap().main_module, name);
        }
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
