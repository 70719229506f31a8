//! The modules an isolate can load, by the names their author gave them, and how one of them
//! names another (`spec/workers.md` WL-15, WL-22).

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
    /// A CommonJS module: `module.exports` as default export.
    Cjs(Arc<str>),
    /// A string as default export.
    Text(Arc<str>),
    /// A JSON text, parsed as default export.
    Json(Arc<str>),
    /// An `ArrayBuffer` as default export.
    Data(Arc<[u8]>),
    /// WebAssembly; a `WebAssembly.Module` as default export.
    Wasm(Arc<[u8]>),
}

impl Module {
    /// The content as bytes, UTF-8 for texts.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Module::Js(text) | Module::Cjs(text) | Module::Text(text) | Module::Json(text) => {
                text.as_bytes()
            }
            Module::Data(bytes) | Module::Wasm(bytes) => bytes,
        }
    }

    /// The name of its kind, as `WorkerCode.modules` has it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Module::Js(_) => "js",
            Module::Cjs(_) => "cjs",
            Module::Text(_) => "text",
            Module::Json(_) => "json",
            Module::Data(_) => "data",
            Module::Wasm(_) => "wasm",
        }
    }
}

impl Bundle {
    /// The module that `specifier` means in the module `referrer`: a path relative to it, or
    /// else one from the root of the bundle.
    #[must_use]
    pub fn resolve(&self, specifier: &str, referrer: &str) -> Option<&str> {
        let folder = referrer.rfind('/').map_or("", |slash| &referrer[..slash]);
        let is_relative = specifier.starts_with("./") || specifier.starts_with("../");
        let beside = join(folder, specifier).filter(|_| !specifier.starts_with('/'));
        let at_root = join("", specifier).filter(|_| !is_relative);
        let from_typescript = is_typescript(referrer);
        [beside, at_root].into_iter().flatten().find_map(|path| {
            self.named(&path).or_else(|| self.typescript(&path).filter(|_| from_typescript))
        })
    }

    fn named(&self, name: &str) -> Option<&str> {
        self.modules.get_key_value(name).map(|(name, _)| name.as_str())
    }

    /// TypeScript's authors leave the extension out, or write that of the output.
    fn typescript(&self, path: &str) -> Option<&str> {
        let stem = path.strip_suffix(".js").or_else(|| path.strip_suffix(".mjs"));
        let swapped = stem.and_then(|stem| {
            [".ts", ".mts"].iter().find_map(|ending| self.named(&format!("{stem}{ending}")))
        });
        swapped.or_else(|| {
            let mut endings = TYPESCRIPT_ENDINGS.iter();
            endings.find_map(|ending| self.named(&format!("{path}{ending}")))
        })
    }
}

/// True for the names of TypeScript modules.
#[must_use]
pub fn is_typescript(name: &str) -> bool {
    name.ends_with(".ts") || name.ends_with(".mts")
}

/// A path below a folder without `.` and `..` parts; `None` if it leaves the root.
#[must_use]
pub fn join(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// What may be left out of an import in a TypeScript module, in this order.
pub const TYPESCRIPT_ENDINGS: &[&str] = &[".ts", ".mts", ".js", ".mjs", "/index.ts", "/index.js"];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], specifier: &str, referrer: &str, expect: Option<&str>) {
        let module = || Module::Js("".into());
        let modules = names.iter().map(|name| ((*name).to_owned(), module())).collect();
        let bundle = Bundle { main_module: "main.js".into(), modules };
        assert_eq!(bundle.resolve(specifier, referrer), expect, "{specifier} in {referrer}");
    }

    #[test]
    fn specifiers_mean_paths_beside_the_importer_and_then_at_the_root() {
        let names = ["a.js", "src/a.js", "src/b.js", "lib/c", "@scope/d"];
        check(&names, "./a.js", "src/main.js", Some("src/a.js"));
        check(&names, "a.js", "src/main.js", Some("src/a.js"));
        check(&names, "../a.js", "src/main.js", Some("a.js"));
        check(&names, "/a.js", "src/main.js", Some("a.js"));
        check(&names, "lib/c", "src/main.js", Some("lib/c"));
        check(&names, "@scope/d", "src/deep/main.js", Some("@scope/d"));
        check(&names, "./b.js", "main.js", None);
        check(&names, "../a.js", "main.js", None);
        check(&names, "./src/../a.js", "main.js", Some("a.js"));
        check(&names, "./a", "main.js", None);
    }

    #[test]
    fn typescript_may_leave_endings_out_or_name_the_output() {
        let names = ["a.ts", "b.js", "c/index.ts", "d.mts"];
        check(&names, "./a", "main.ts", Some("a.ts"));
        check(&names, "./a.js", "main.ts", Some("a.ts"));
        check(&names, "./b", "main.ts", Some("b.js"));
        check(&names, "./c", "main.ts", Some("c/index.ts"));
        check(&names, "./d.mjs", "main.ts", Some("d.mts"));
        check(&names, "./a", "main.js", None);
    }
}
