//! Modules that stand in for those of the runtime that Beryl has not, so that one of them does
//! not keep a whole file of tests from running.
//!
//! A stand-in exports every name that is imported from it. What is exported can be looked at and
//! passed on; whoever uses it gets an error, and the test that did is reported as skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use isolate::NODE_MODULES;
use worker::code::Module;

/// Adds stand-ins for what the modules import and nobody has.
pub fn add(modules: &mut BTreeMap<String, Module>) {
    let mut missing: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for module in modules.values() {
        if let Module::Js(text) | Module::Cjs(text) = module {
            imported(text, &mut missing);
        }
    }
    missing.retain(|specifier, _| is_missing(specifier) && !modules.contains_key(specifier));
    for (specifier, names) in missing {
        let source = source(&specifier, &names);
        modules.insert(specifier, Module::Js(source.into()));
    }
}

/// Names of the platform's modules have a scheme.
fn is_missing(specifier: &str) -> bool {
    match specifier.split_once(':') {
        Some(("node", name)) => !NODE_MODULES.contains(&name),
        Some(("cloudflare", name)) => name != "workers",
        Some((scheme, _)) => scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'),
        None => false,
    }
}

/// Finds `import … from "…"`, `import("…")` and `require("…")` in a text. It need not be exact:
/// a name too many does no harm.
fn imported(text: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
    for (at, quote) in text.match_indices(['"', '\'']) {
        let Some(end) = text[at + 1..].find([quote.as_bytes()[0] as char, '\n']) else { continue };
        let specifier = &text[at + 1..at + 1 + end];
        if !specifier.contains(':') || specifier.contains(char::is_whitespace) {
            continue;
        }
        let before = text[..at].trim_end();
        let is_called = before.ends_with("import(") || before.ends_with("require(");
        if is_called || before.ends_with("import") {
            found.entry(specifier.into()).or_default();
        } else if let Some(clause) = before.strip_suffix("from") {
            let starts = [clause.rfind("import"), clause.rfind("export")];
            let Some(start) = starts.into_iter().flatten().max() else { continue };
            found.entry(specifier.into()).or_default().extend(names(&clause[start + 6..]));
        }
    }
}

/// The names in the clause of an import.
fn names(clause: &str) -> impl Iterator<Item = String> {
    let listed = clause.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
    let listed = listed.map_or("", |(names, _)| names);
    listed.split(',').filter_map(|name| {
        let name = name.split_whitespace().next()?.trim_matches(['"', '\'']);
        let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'$');
        (is_name && name != "default").then(|| name.to_owned())
    })
}

fn source(specifier: &str, names: &BTreeSet<String>) -> String {
    let mut source = PROXIES.to_owned();
    for (number, name) in names.iter().enumerate() {
        let path = format!("{specifier}.{name}");
        let _ = writeln!(source, "const n{number} = missing({path:?});");
        let _ = writeln!(source, "export {{ n{number} as {name} }};");
    }
    let _ = writeln!(source, "export default missing({specifier:?});");
    source
}

const PROXIES: &str = r#"
const note = globalThis[Symbol.for("beryl.missing")];
const use = (name) => {
  note(name);
  throw new Error(`${name} is not supported by Beryl yet`);
};
const missing = (name) => new Proxy(function () {}, {
  apply: () => use(name),
  construct: () => use(name),
  set: () => use(name),
  get(target, key) {
    if (key === "prototype") return target.prototype;
    if (typeof key === "symbol") return undefined;
    note(`${name}.${key}`);
    return missing(`${name}.${key}`);
  },
});
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, specifier: &str, exported: &[&str]) {
        let mut modules = BTreeMap::from([("a.js".to_owned(), Module::Js(text.into()))]);
        add(&mut modules);
        let Some(Module::Js(source)) = modules.get(specifier) else {
            panic!("no stand-in for {specifier}: {:?}", modules.keys());
        };
        for name in exported {
            assert!(source.contains(&format!(" as {name} }}")), "{name} in {source}");
        }
    }

    #[test]
    fn stand_ins_export_what_is_imported() {
        check("import { a, b as c } from 'node:fs';", "node:fs", &["a", "b"]);
        check(
            "import x, {\n  open,\n  type,\n} from \"node:fs/promises\"",
            "node:fs/promises",
            &["open", "type"],
        );
        check("import fs from 'node:fs'", "node:fs", &[]);
        check("import * as net from 'cloudflare:sockets'", "cloudflare:sockets", &[]);
        check("export { y } from 'workerd:unsafe'", "workerd:unsafe", &["y"]);
        check("await import('node:fs')", "node:fs", &[]);
    }

    #[test]
    fn what_is_there_has_no_stand_in() {
        let text = "import { ok } from 'node:assert'; import a from './a'; const u = 'http://x'";
        let mut modules = BTreeMap::from([("a.js".to_owned(), Module::Js(text.into()))]);
        add(&mut modules);
        assert_eq!(modules.len(), 1);
    }
}
