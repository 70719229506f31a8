//! The modules of a configured worker: the files below the main module's folder that a rule
//! makes a module, as `wrangler` finds them when it does not bundle.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use walkdir::{DirEntry, WalkDir};
use worker::code::Module;
use worker::limits::CODE_BYTES_MAX;

use super::fields::Fields;
use super::setting::{Problem, Setting};

/// What a file becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An ES module.
    EsModule,
    /// A CommonJS module.
    CommonJs,
    /// A `WebAssembly.Module`.
    Wasm,
    /// A string.
    Text,
    /// Parsed JSON.
    Json,
    /// An `ArrayBuffer`.
    Data,
}

/// Which files become modules of one kind.
#[derive(Debug, Clone)]
struct Rule {
    kind: Kind,
    globs: Vec<String>,
}

/// The rules of a worker, the first that fits counts.
#[derive(Debug, Clone)]
pub struct Rules(Vec<Rule>);

impl Rules {
    /// The configured rules, then those that always hold unless a rule of their kind was given
    /// without `fallthrough`.
    ///
    /// # Errors
    /// A rule of an unknown kind.
    pub fn read(settings: &[Setting]) -> Result<Rules, Problem> {
        let mut rules = Vec::new();
        let mut closed = Vec::new();
        for setting in settings {
            let fields = Fields::new(setting, "rules", &["type", "globs", "fallthrough"])?;
            let kind = match fields.required_text("type")? {
                "ESModule" => Kind::EsModule,
                "CommonJS" => Kind::CommonJs,
                "CompiledWasm" => Kind::Wasm,
                "Text" => Kind::Text,
                "Data" => Kind::Data,
                _ => {
                    let problem = "not supported by Beryl; use ESModule, CommonJS, \
                                   CompiledWasm, Text or Data";
                    return Err(fields.problem("type", problem));
                }
            };
            let globs = fields.texts("globs")?.into_iter().map(str::to_owned).collect();
            if !fields.is_set("fallthrough")? {
                closed.push(kind);
            }
            rules.push(Rule { kind, globs });
        }
        for (kind, globs) in ALWAYS.iter().filter(|(kind, _)| !closed.contains(kind)) {
            let globs = globs.iter().map(|glob| (*glob).to_owned()).collect();
            rules.push(Rule { kind: *kind, globs });
        }
        Ok(Rules(rules))
    }

    fn kind(&self, name: &str) -> Option<Kind> {
        let fits = |rule: &&Rule| rule.globs.iter().any(|glob| fast_glob::glob_match(glob, name));
        self.0.iter().find(fits).map(|rule| rule.kind)
    }
}

/// Reads all modules below `folder`, by their path in it.
///
/// # Errors
/// What cannot be read, with its path, and more code than a worker may have.
pub fn collect(folder: &Path, rules: &Rules) -> Result<BTreeMap<String, Module>, String> {
    let mut modules = BTreeMap::new();
    let mut bytes = 0;
    let files = WalkDir::new(folder).into_iter().filter_entry(is_looked_at);
    for file in files {
        let file = file.map_err(|error| error.to_string())?;
        let Some(name) = name_in(folder, file.path()).filter(|_| file.file_type().is_file()) else {
            continue;
        };
        let Some(kind) = rules.kind(&name) else { continue };
        bytes += file.metadata().map_or(0, |metadata| metadata.len());
        if bytes > CODE_BYTES_MAX as u64 || modules.len() >= FILES_MAX {
            return Err(format!(
                "the files of {} are more than a worker may have (64 MiB, {FILES_MAX} modules); \
                 move the main module to a folder of its own, or set base_dir or rules",
                folder.display()
            ));
        }
        modules.insert(name, read(file.path(), kind)?);
    }
    Ok(modules)
}

/// The name of a file as a module: its path below `folder`, with slashes.
#[must_use]
pub fn name_in(folder: &Path, file: &Path) -> Option<String> {
    let parts = file.strip_prefix(folder).ok()?.components();
    let parts: Option<Vec<&str>> = parts.map(|part| part.as_os_str().to_str()).collect();
    parts.map(|parts| parts.join("/")).filter(|name| !name.is_empty())
}

fn read(path: &Path, kind: Kind) -> Result<Module, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let text = || fs::read_to_string(path).map_err(failed);
    Ok(match kind {
        Kind::EsModule => Module::Js(text()?.into()),
        Kind::CommonJs => Module::Cjs(text()?.into()),
        Kind::Wasm => Module::Wasm(fs::read(path).map_err(failed)?.into()),
        Kind::Text => Module::Text(text()?.into()),
        Kind::Json => Module::Json(text()?.into()),
        Kind::Data => Module::Data(fs::read(path).map_err(failed)?.into()),
    })
}

/// Packages and hidden folders hold no modules of the worker.
fn is_looked_at(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    let is_left_out = name.starts_with('.') || LEFT_OUT.contains(&&*name);
    entry.depth() == 0 || !is_left_out
}

/// The rules that hold without being configured.
const ALWAYS: &[(Kind, &[&str])] = &[
    (Kind::EsModule, &["**/*.js", "**/*.mjs"]),
    (Kind::CommonJs, &["**/*.cjs"]),
    (Kind::Wasm, &["**/*.wasm"]),
    (Kind::Text, &["**/*.txt", "**/*.html", "**/*.sql"]),
    (Kind::Json, &["**/*.json"]),
    (Kind::Data, &["**/*.bin"]),
];
/// Folders and files beside a worker that are not part of it.
const LEFT_OUT: &[&str] =
    &["node_modules", "package.json", "package-lock.json", "tsconfig.json", "wrangler.json"];
/// Files that become modules; more than any worker has, and few enough to read at a start.
const FILES_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_choose_the_files_and_a_closed_kind_leaves_its_usual_ones_out() {
        let rules = r#"[{ "type": "Text", "globs": ["**/*.md"] }]"#;
        let Setting { content, .. } = Setting::from_jsonc(rules).unwrap();
        let super::super::setting::Content::List(rules) = content else { panic!() };
        let rules = Rules::read(&rules).unwrap();
        for (name, kind) in [
            ("a.md", Some(Kind::Text)),
            ("deep/down/a.md", Some(Kind::Text)),
            ("a.txt", None),
            ("a.js", Some(Kind::EsModule)),
            ("a.cjs", Some(Kind::CommonJs)),
            ("a.wasm", Some(Kind::Wasm)),
            ("a.bin", Some(Kind::Data)),
            ("a.png", None),
        ] {
            assert_eq!(rules.kind(name), kind, "{name}");
        }
    }

    #[test]
    fn packages_and_hidden_files_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.js", "lib/b.mjs", "c.txt", "node_modules/d/d.js", ".git/e.js", "f.png"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let modules = collect(dir.path(), &Rules::read(&[]).unwrap()).unwrap();
        assert_eq!(modules.keys().collect::<Vec<_>>(), ["a.js", "c.txt", "lib/b.mjs"]);
        assert!(matches!(modules["c.txt"], Module::Text(_)));
    }
}
