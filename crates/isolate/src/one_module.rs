//! Joins the modules of an extension into one, when the snapshot is made.
//!
//! Every module of a snapshot costs each isolate a kilobyte and more: its own record, a cell for
//! each export, tables of names. Joined, each module becomes a block, and what it exports a
//! variable of the one module around them. The order is the one the engine would evaluate them in.
//!
//! This reads the project's own style, not JavaScript: declarations and imports begin a line and
//! end with a `}` or `;` that does, names are exported where they are declared, and no two modules
//! export the same one. Anything else is an error of the build.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// A module, taken apart.
#[derive(Default)]
struct Parts {
    /// Where from, and which names.
    imports: Vec<(String, Vec<String>)>,
    exports: Vec<String>,
    /// Exported functions, which other statements of the module may come before.
    functions: String,
    rest: String,
}

/// The text of the module that does what `entry` does with all it imports from `sources`.
/// Modules that are not among them are imported by the joined one.
///
/// # Errors
/// What was written in another way than this understands, and where.
pub(crate) fn join(entry: &str, sources: &BTreeMap<String, String>) -> Result<String, String> {
    let mut joined = Joined {
        sources,
        seen: BTreeSet::new(),
        outside: BTreeMap::new(),
        exports: Vec::new(),
        blocks: String::new(),
    };
    joined.add(entry)?;
    if let Some(missed) = sources.keys().find(|name| !joined.seen.contains(*name)) {
        return Err(format!("{missed} is imported by no other module; delete it"));
    }
    let mut text = String::new();
    for (from, names) in &joined.outside {
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let _ = writeln!(text, "import {{ {} }} from \"{from}\";", names.join(", "));
    }
    let _ = writeln!(text, "var {};", joined.exports.join(", "));
    Ok(text + &joined.blocks)
}

struct Joined<'a> {
    sources: &'a BTreeMap<String, String>,
    seen: BTreeSet<String>,
    outside: BTreeMap<String, BTreeSet<String>>,
    exports: Vec<String>,
    blocks: String,
}

impl Joined<'_> {
    /// Adds a module after those it imports.
    fn add(&mut self, name: &str) -> Result<(), String> {
        if !self.seen.insert(name.to_owned()) {
            return Ok(());
        }
        let text = self.sources.get(name).ok_or_else(|| format!("{name}: no such module"))?;
        let parts = Parts::read(text).map_err(|error| format!("{name}: {error}"))?;
        for (from, names) in parts.imports {
            if self.sources.contains_key(&from) {
                self.add(&from)?;
            } else {
                self.outside.entry(from).or_default().extend(names);
            }
        }
        if let Some(twice) = parts.exports.iter().find(|name| self.exports.contains(name)) {
            return Err(format!("{name}: another module exports {twice} too; rename one"));
        }
        self.exports.extend(parts.exports);
        let (functions, rest) = (parts.functions, parts.rest);
        let _ = write!(self.blocks, "{{ // {name}\n{functions}{rest}}}\n");
        Ok(())
    }
}

impl Parts {
    fn read(text: &str) -> Result<Parts, String> {
        let mut parts = Parts::default();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line.starts_with("import ") {
                let statement = until(line, &mut lines, |line| line.ends_with(';'));
                parts.imports.push(import(&statement)?);
            } else if let Some(declaration) = line.strip_prefix("export ") {
                parts.export(declaration, &mut lines)?;
            } else {
                parts.rest.push_str(line);
                parts.rest.push('\n');
            }
        }
        Ok(parts)
    }

    fn export(&mut self, line: &str, lines: &mut std::str::Lines<'_>) -> Result<(), String> {
        let unknown = || format!("not understood: export {line}");
        let word = ["async function ", "function ", "class ", "const ", "let "];
        let word = word.into_iter().find(|word| line.starts_with(word)).ok_or_else(unknown)?;
        let after = &line[word.len()..];
        let end = after.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
        let name = &after[..end.ok_or_else(unknown)?];
        if name.is_empty() {
            return Err(unknown());
        }
        self.exports.push(name.to_owned());
        let is_block = !matches!(word, "const " | "let ");
        let value = match (is_block, after[name.len()..].trim_start()) {
            (true, _) => line,
            // Declared around the blocks.
            (false, ";") => return Ok(()),
            (false, rest) => rest.strip_prefix("= ").ok_or_else(unknown)?,
        };
        if !is_block {
            let _ = writeln!(self.rest, "{name} = {value}");
            return Ok(());
        }
        let block = match value.ends_with('}') {
            true => value.to_owned(),
            false => until(value, lines, |line| line == "}"),
        };
        let to = if word == "class " { &mut self.rest } else { &mut self.functions };
        let _ = writeln!(to, "{name} = {block};");
        Ok(())
    }
}

/// The lines from this one to the first that is the last.
fn until(line: &str, lines: &mut std::str::Lines<'_>, is_last: fn(&str) -> bool) -> String {
    let mut text = line.to_owned();
    let mut last = is_last(line);
    while !last {
        let Some(line) = lines.next() else { break };
        text.push('\n');
        text.push_str(line);
        last = is_last(line);
    }
    text
}

/// Where from, and which names.
fn import(statement: &str) -> Result<(String, Vec<String>), String> {
    let parts = || {
        let (names, from) = statement.strip_prefix("import {")?.split_once("} from \"")?;
        Some((names, from.strip_suffix("\";")?))
    };
    let (names, from) = parts().ok_or_else(|| format!("not understood: {statement}"))?;
    let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
    let names: Vec<_> = names.map(str::to_owned).collect();
    match names.iter().find(|name| name.contains(' ')) {
        Some(name) => Err(format!("imports under another name are not understood: {name}")),
        None => Ok((from.to_owned(), names)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(sources: &[(&str, &str)]) -> Result<String, String> {
        let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        join("main", &sources.iter().map(own).collect())
    }

    #[test]
    fn modules_become_blocks_in_the_order_of_their_evaluation() {
        let main = "import { core } from \"out\";\nimport {\n  twice,\n  Two,\n} from \"two\";\n\
            core(twice(Two));\n";
        let two = "import { core } from \"out\";\nexport const Two = core(2);\n\
            export function twice(n) {\n  return [n, last];\n}\nexport let last;\nlast = 3;\n";
        assert_eq!(
            joined(&[("main", main), ("two", two)]).unwrap(),
            "import { core } from \"out\";\nvar Two, twice, last;\n{ // two\n\
             twice = function twice(n) {\n  return [n, last];\n};\nTwo = core(2);\nlast = 3;\n}\n\
             { // main\ncore(twice(Two));\n}\n"
        );
    }

    #[test]
    fn what_is_not_understood_is_an_error_that_names_it() {
        let refused = |sources: &[(&str, &str)]| joined(sources).unwrap_err();
        let two = ("two", "export const a = 1;\n");
        let alias = refused(&[("main", "import { a as b } from \"two\";\n"), two]);
        assert!(alias.contains("under another name are not understood: a as b"), "{alias}");
        let all = refused(&[("main", "export * from \"two\";\n"), two]);
        assert!(all.contains("main: not understood: export *"), "{all}");
        let both = refused(&[("main", "import { a } from \"two\";\nexport let a;\n"), two]);
        assert!(both.contains("main: another module exports a too"), "{both}");
        assert!(refused(&[("main", ""), two]).contains("two is imported by no other"));
    }
}
