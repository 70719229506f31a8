//! Checks that a compiler cannot make: sizes, headers, names, and which file may name what.
//!
//! Every rule is a function from one file to its findings. It is tested twice: over the whole tree,
//! and on a small sample that breaks it. Rules look at a file's code with comments and strings
//! blanked, except those about comments. Arrows between crates are checked in `arrows.rs`.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

#[path = "tidy/code.rs"]
mod code;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use code::{blanked, body_lines, line_of, snake, words};

/// One file of ours: `path` is relative to the root, `code` is `text` without comments and strings.
struct Source {
    path: String,
    text: String,
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        let code = if path.ends_with(".rs") { blanked(text) } else { text.to_owned() };
        Source { path: path.to_owned(), text: text.to_owned(), code }
    }

    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// True for files that hold only tests.
    fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    /// The folder of the crate, for instance `crates/ops` or `runtime`.
    fn room(&self) -> String {
        let depth = if self.path.starts_with("crates/") { 2 } else { 1 };
        self.path.split('/').take(depth).collect::<Vec<_>>().join("/")
    }

    fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.split('.').next().unwrap_or_default()
    }

    /// Numbered lines of code before the unit tests.
    fn shipped(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = if self.is_test() { 0 } else { usize::MAX };
        self.lines().take_while(|(_, line)| line.trim() != "#[cfg(test)]").take(tests)
    }

    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    fn finding(&self, line: usize, problem: impl Into<String>) -> Finding {
        Finding { at: format!("{}:{line}", self.path), problem: problem.into() }
    }
}

/// A broken rule: where, which, and how to mend it.
struct Finding {
    at: String,
    problem: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.problem)
    }
}

type Rule = fn(&Source) -> Vec<Finding>;

/// Fails with every finding of `rule` in the tree, or if `rule` has none in `sample`.
fn check(rule: Rule, sample_path: &str, sample: &str) {
    assert!(
        !rule(&Source::new(sample_path, sample)).is_empty(),
        "the rule finds nothing: {sample}"
    );
    report(sources().iter().flat_map(rule).collect());
}

fn report(findings: Vec<Finding>) {
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(lines.is_empty(), "{} to mend\n{}", lines.len(), lines.join("\n"));
}

// The rules, in the order of the style guide.

#[test]
fn required_documents_exist() {
    let missing = |root: &Path| -> Vec<Finding> {
        let names = ["LICENSE", "README.md", "ARCHITECTURE.md", "CHANGELOG.md"];
        let absent = names.into_iter().filter(|name| !root.join(name).is_file());
        let problem = "missing at the root; write it".to_owned();
        absent.map(|name| Finding { at: name.to_owned(), problem: problem.clone() }).collect()
    };
    assert_eq!(missing(Path::new("/nowhere")).len(), 4);
    report(missing(&root()));
}

#[test]
fn every_dependency_has_a_reason() {
    assert_eq!(unreasoned("[workspace.dependencies]\nbytes = \"1\"\n").len(), 1);
    assert_eq!(unreasoned("[workspace.dependencies]\nbytes = \"1\" # bodies\n").len(), 0);
    report(unreasoned(&fs::read_to_string(root().join("Cargo.toml")).unwrap()));
}

fn unreasoned(manifest: &str) -> Vec<Finding> {
    let lines = manifest.lines().enumerate();
    let table = lines.skip_while(|(_, line)| *line != "[workspace.dependencies]").skip(1);
    let table = table.take_while(|(_, line)| !line.starts_with('['));
    let named = table.filter(|(_, line)| line.contains('=') && !line.contains("path ="));
    let bare =
        named.filter(|(_, line)| line.rsplit_once("# ").is_none_or(|(_, why)| why.is_empty()));
    let problem = "dependency without a reason; end the line with `# what it is for`";
    bare.map(|(index, _)| Finding { at: at_manifest(index + 1), problem: problem.to_owned() })
        .collect()
}

fn at_manifest(line: usize) -> String {
    format!("Cargo.toml:{line}")
}

#[test]
fn lines_fit_in_100_columns() {
    check(columns, "js/a.js", &"x".repeat(101));
}

fn columns(source: &Source) -> Vec<Finding> {
    let long = source.text.lines().enumerate().filter(|(_, line)| line.chars().count() > 100);
    let problem = "line over 100 columns; break it";
    long.map(|(index, _)| source.finding(index + 1, problem)).collect()
}

#[test]
fn files_stay_under_500_lines_before_their_tests() {
    check(file_lines, "crates/a/src/a.rs", &"x();\n".repeat(501));
    let tested = format!("{}#[cfg(test)]\n{}", "x();\n".repeat(400), "x();\n".repeat(200));
    assert!(file_lines(&Source::new("crates/a/src/a.rs", &tested)).is_empty());
}

fn file_lines(source: &Source) -> Vec<Finding> {
    let max = if source.path.starts_with("js/") { 300 } else { 500 };
    let ends = |line: &&str| line.trim() != "#[cfg(test)]";
    let lines = source.text.lines().take_while(ends).count();
    let problem = format!("{lines} lines, at most {max}; split where it holds two nouns");
    if lines > max { vec![source.finding(max, problem)] } else { Vec::new() }
}

#[test]
fn functions_stay_under_70_lines() {
    check(function_lines, "crates/a/src/a.rs", &format!("fn a() {{\n{}}}\n", "x();\n".repeat(70)));
    let sample = format!("fn a() {{\n{}}}\nfn b();\n{}", "x();\n".repeat(60), "{}\n".repeat(60));
    assert!(function_lines(&Source::new("crates/a/src/a.rs", &sample)).is_empty());
}

fn function_lines(source: &Source) -> Vec<Finding> {
    if !source.is_rust() {
        return Vec::new();
    }
    let starts = words(&source.code).filter(|(_, word)| *word == "fn").map(|(at, _)| at);
    let measured = starts.map(|at| (line_of(&source.code, at), body_lines(&source.code[at..])));
    let long = measured.filter(|(_, lines)| *lines > 70);
    let problem = |lines| format!("function of {lines} lines, at most 70; name its steps");
    long.map(|(line, lines)| source.finding(line, problem(lines))).collect()
}

#[test]
fn every_file_opens_with_its_purpose() {
    check(purpose, "crates/a/src/a.rs", "// Not a header.\nuse std::fs;\n");
}

fn purpose(source: &Source) -> Vec<Finding> {
    let good = !source.is_rust() || source.text.starts_with("//! ");
    let problem = "first line is no `//! ` sentence; say what the file is for";
    if good { Vec::new() } else { vec![source.finding(1, problem)] }
}

#[test]
fn every_unsafe_says_why_it_holds() {
    check(safety, "crates/isolate/src/a.rs", "fn a() {\n    unsafe { b() }\n}\n");
    check(safety, "crates/isolate/src/a.rs", "/// Does it.\npub unsafe fn a() {}\n");
    let good =
        "// SAFETY: checked above.\nlet a = unsafe { b() };\ntype F = unsafe extern \"C\" fn();";
    assert!(safety(&Source::new("crates/isolate/src/a.rs", good)).is_empty());
}

fn safety(source: &Source) -> Vec<Finding> {
    let text: Vec<&str> = source.text.lines().collect();
    let explained = |line: usize, mark: &str, reach: usize| {
        text[line.saturating_sub(reach)..line].iter().any(|line| line.contains(mark))
    };
    let mut findings = Vec::new();
    for (line, kind) in unsafes(source) {
        match kind {
            Unsafe::Function if !explained(line, "# Safety", 20) && !explained(line, SAFETY, 6) => {
                findings.push(
                    source.finding(line, "unsafe fn without `# Safety`; say what callers owe"),
                );
            }
            Unsafe::Block if !explained(line, SAFETY, 6) => {
                findings
                    .push(source.finding(line, "unsafe without `// SAFETY:`; say why it holds"));
            }
            _ => {}
        }
    }
    findings
}

#[test]
fn unsafe_code_is_in_isolate_and_storage_only() {
    check(unsafe_room, "crates/ops/src/a.rs", "// SAFETY: it is not.\nunsafe impl Send for A {}\n");
    let marked = "unsafe impl GarbageCollected for A {}";
    assert!(unsafe_room(&Source::new("crates/ops/src/a.rs", marked)).is_empty());
}

fn unsafe_room(source: &Source) -> Vec<Finding> {
    if ["crates/isolate", "crates/storage"].contains(&source.room().as_str()) {
        return Vec::new();
    }
    let lines: Vec<&str> = source.code.lines().collect();
    let marker = |line: usize| source.room() == "crates/ops" && lines[line - 1].contains(MARKER);
    let problem = "unsafe outside isolate and storage; move it there behind a safe function";
    let others = unsafes(source).filter(|(line, _)| !marker(*line));
    others.map(|(line, _)| source.finding(line, problem)).collect()
}

enum Unsafe {
    Function,
    Block,
}

/// Lines with unsafe functions, blocks and impls; not types of unsafe function pointers.
fn unsafes(source: &Source) -> impl Iterator<Item = (usize, Unsafe)> {
    let code = if source.is_rust() { source.code.as_str() } else { "" };
    words(code).filter(|(_, word)| *word == "unsafe").filter_map(move |(at, _)| {
        let mut rest = code[at + "unsafe".len()..].trim_start();
        if let Some(after) = rest.strip_prefix("extern") {
            rest = after.trim_start_matches(|c: char| c == '"' || c == 'C' || c.is_whitespace());
        }
        let kind = match rest.strip_prefix("fn") {
            Some(after) if after.trim_start().starts_with('(') => return None,
            Some(_) => Unsafe::Function,
            None if rest.starts_with('(') => return None,
            None => Unsafe::Block,
        };
        Some((line_of(code, at), kind))
    })
}

#[test]
fn names_say_the_noun() {
    check(names, "crates/a/src/http_utils.rs", "");
    check(names, "crates/a/src/a.rs", "struct ActorInner;\n");
    check(names, "crates/a/src/a.rs", "impl A {\n    pub fn get_b(&self) {}\n}\n");
    assert!(names(&Source::new("crates/a/src/a.rs", "use deno_core::OpState;\n")).is_empty());
}

fn names(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if source.path.split(['/', '_', '-', '.']).any(|word| BANNED.contains(&word)) {
        findings.push(source.finding(1, "path with a word that names nothing; name the noun"));
    }
    if !source.is_rust() {
        return findings;
    }
    let mut keyword = "";
    for (at, word) in words(&source.code) {
        let line = line_of(&source.code, at);
        let defines = ["mod", "struct", "enum", "trait", "type"].contains(&keyword);
        if defines && snake(word).split('_').any(|part| BANNED.contains(&part)) {
            findings.push(source.finding(line, format!("`{word}` names nothing; name the noun")));
        }
        let prefixed = word.starts_with("get_") || word.starts_with("test_");
        if keyword == "fn" && prefixed && !FOREIGN.contains(&word) {
            let problem = format!("`{word}`: drop the prefix, a name says what it gives or shows");
            findings.push(source.finding(line, problem));
        }
        keyword = word;
    }
    findings
}

#[test]
fn libraries_are_named_by_their_owners_only() {
    check(owned, "crates/worker/src/a.rs", "use deno_core::OpState;\n");
    check(owned, "crates/ops/src/a.rs", "fn a(db: &rusqlite::Connection) {}\n");
    assert!(owned(&Source::new("crates/storage/src/a.rs", "use rusqlite::Connection;")).is_empty());
}

fn owned(source: &Source) -> Vec<Finding> {
    if !source.is_rust() || source.is_test() || source.path == "runtime/build.rs" {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (at, word) in words(&source.code) {
        let Some((_, owners)) = OWNERS.iter().find(|(library, _)| *library == word) else {
            continue;
        };
        if !owners.contains(&source.room().as_str()) {
            let problem = format!("`{word}` is for {} only; ask that room", owners.join(", "));
            findings.push(source.finding(line_of(&source.code, at), problem));
        }
    }
    findings
}

#[test]
fn one_api_has_one_stem_in_ops_and_js() {
    let source = Source::new("crates/ops/src/sql.rs", "#[op2]\nfn op_kv_put() {}\n");
    assert_eq!(stems(&[source]).len(), 2, "no js/sql.js, and an op of another stem");
    let source = Source::new("js/sql.js", "op_sql_exec();\n");
    assert_eq!(stems(&[source]).len(), 1, "no crates/ops/src/sql.rs");
    report(stems(&sources()));
}

fn stems(sources: &[Source]) -> Vec<Finding> {
    let exists = |path: &str| sources.iter().any(|source| source.path == path);
    let mut findings = Vec::new();
    for source in sources {
        let stem = source.stem();
        if FOREIGN_OPS.contains(&stem) {
            continue;
        }
        let (js, ops) = (format!("js/{stem}.js"), format!("crates/ops/src/{stem}.rs"));
        if source.path == js && source.text.contains(&format!("op_{stem}_")) && !exists(&ops) {
            findings.push(source.finding(1, format!("its ops belong in {ops}")));
        }
        if source.path != ops || !source.code.contains("#[op2") {
            continue;
        }
        if !exists(&js) {
            findings.push(source.finding(1, format!("its JavaScript belongs in {js}")));
        }
        let functions = source.code.split("#[op2").skip(1).filter_map(|op| op.split("fn ").nth(1));
        let names = functions.filter_map(|op| op.split(['(', '<']).next());
        for name in names.filter(|name| !name.starts_with(&format!("op_{stem}"))) {
            let at = source.code.find(name).unwrap_or_default();
            let problem = format!("`{name}` is no `op_{stem}_*`; rename it or move it");
            findings.push(source.finding(line_of(&source.code, at), problem));
        }
    }
    findings
}

#[test]
fn unwrap_is_for_tests() {
    check(unwraps, "crates/a/src/a.rs", "fn a() {\n    b().unwrap();\n}\n");
    let tested = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn a() { b().unwrap(); }\n}\n";
    assert!(unwraps(&Source::new("crates/a/src/a.rs", tested)).is_empty());
}

fn unwraps(source: &Source) -> Vec<Finding> {
    let unwraps = source.shipped().filter(|(_, line)| line.contains(".unwrap()"));
    let problem = "unwrap outside tests; return an error, or `expect(\"why it holds\")`";
    let found = unwraps.map(|(line, _)| source.finding(line, problem));
    if source.is_rust() { found.collect() } else { Vec::new() }
}

#[test]
fn postponed_work_has_an_issue() {
    check(postponed, "crates/a/src/a.rs", concat!("// TO", "DO: later\n"));
    check(postponed, "js/a.js", concat!("// FIX", "ME(#3): later\n"));
    let numbered = concat!("// TO", "DO(#12): later\n");
    assert!(postponed(&Source::new("crates/a/src/a.rs", numbered)).is_empty());
}

fn postponed(source: &Source) -> Vec<Finding> {
    let (todo, fixme) = (concat!("TO", "DO"), concat!("FIX", "ME"));
    let bare = |line: &str| {
        let digit = |rest: &str| {
            rest.strip_prefix("(#").is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()))
        };
        line.contains(fixme) || line.split(todo).skip(1).any(|rest| !digit(rest))
    };
    let lines = source.text.lines().enumerate().filter(|(_, line)| bare(line));
    let problem = format!("work left without an issue; write `{todo}(#12)` or do it");
    lines.map(|(index, _)| source.finding(index + 1, problem.clone())).collect()
}

#[test]
fn no_test_is_switched_off() {
    check(switched_off, "crates/a/src/a.rs", "#[test]\n#[ignore = \"slow\"]\nfn a_holds() {}\n");
    check(switched_off, "crates/a/src/a.rs", "#[test]\n#[should_panic]\nfn a_holds() {}\n");
}

fn switched_off(source: &Source) -> Vec<Finding> {
    let off = |line: &str| ["#[ignore", "#[should_panic"].iter().any(|a| line.contains(a));
    let problem = "test switched off; assert the known result and say why";
    let lines = source.lines().filter(|(_, line)| source.is_rust() && off(line));
    lines.map(|(line, _)| source.finding(line, problem)).collect()
}

// Reading the tree.

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every `.rs` and `.js` file of ours.
fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for room in ["runtime", "crates", "js", "test_apps", "bench"] {
        collect(&root(), Path::new(room), &mut found);
    }
    assert!(found.iter().any(|source| source.path == "runtime/tests/tidy.rs"));
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(root.join(folder)).into_iter().flatten() {
        let entry = entry.unwrap();
        let path = folder.join(entry.file_name());
        let name = path.to_str().unwrap();
        if entry.file_type().unwrap().is_dir() {
            let foreign = ["node_modules", "target", "out"];
            if !foreign.iter().any(|folder| path.ends_with(folder)) {
                collect(root, &path, found);
            }
        } else if name.ends_with(".rs") || name.ends_with(".js") {
            found.push(Source::new(name, &fs::read_to_string(root.join(&path)).unwrap()));
        }
    }
}

const SAFETY: &str = "SAFETY:";

/// An unsafe trait of deno_core without which `ops` has no classes.
const MARKER: &str = "unsafe impl GarbageCollected for ";

/// Functions that traits of others name: `GarbageCollected`.
const FOREIGN: [&str; 6] = [
    "get_additional_properties",
    "get_class",
    "get_code_cache",
    "get_message",
    "get_name",
    "get_ref",
];

/// Stems whose ops are those of deno_web.
const FOREIGN_OPS: [&str; 2] = ["base64", "url"];

const BANNED: [&str; 9] =
    ["utils", "helpers", "common", "base", "core", "misc", "inner", "manager", "v2"];

/// Libraries and the rooms that may name them.
const OWNERS: [(&str, &[&str]); 5] = [
    ("deno_core", &["crates/isolate", "crates/ops"]),
    ("rusqlite", &["crates/storage"]),
    ("hyper", &["crates/network"]),
    ("hyper_util", &["crates/network"]),
    ("clap", &["runtime"]),
];
