//! `docs/conformance.md` names the tests of every rule of the behaviour specification, and is made
//! from the tests themselves: function names such as `fa_27_…`, and `"rules"` of the steps in
//! `test_apps/*/expect.json`.
//!
//! When this fails after a change of tests, it says how to write the table anew.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The rules that must be listed, tested or not: prefix, name, last number.
const CHAPTERS: [(&str, &str, u32); 6] = [
    ("WL", "Worker loader", 49),
    ("FA", "Facets", 48),
    ("DO", "Durable Objects", 41),
    ("ST", "Storage", 46),
    ("AL", "Alarms", 13),
    ("RPC", "RPC", 29),
];

/// Why a rule has no test, where that is known.
const EXPLAINED: [(&str, u32, &str); 14] = [
    ("WL", 19, "does not exist yet: Python workers are refused"),
    ("WL", 26, "no test: says what start-up costs; modules of Node.js are made at first use"),
    ("WL", 33, "does not exist: requests have no `next`"),
    ("WL", 34, "does not exist yet: there is no Cache API"),
    ("RPC", 27, "does not exist yet: `ctx.restore`, which the platform calls insecure"),
    ("RPC", 28, "does not exist yet, see RPC-27"),
    ("RPC", 29, "does not exist yet, see RPC-27"),
    ("FA", 3, "no test: it promises neither that globals are shared nor that they are apart"),
    ("FA", 16, "no test: every namespace has SQLite, so there is nothing else to inherit"),
    ("FA", 33, "does not apply: there is always a disk"),
    ("FA", 43, "does not apply: there is always a disk"),
    ("DO", 6, "no test yet: of configurations; a class that is no entrypoint is refused"),
    ("DO", 31, "does not exist: ephemeral namespaces are for tests of the platform"),
    ("DO", 41, "does not exist: a worker that never answers is ended by its limits"),
];

/// Set to write the file instead of comparing it.
const WRITE: &str = "BERYL_WRITE_CONFORMANCE";

type Shown = BTreeMap<(String, u32), BTreeSet<String>>;

#[test]
fn the_table_of_rules_names_the_tests_there_are() {
    let path = root().join("docs/conformance.md");
    let table = table(&shown());
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, &table).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let mend = format!("{WRITE}=1 cargo nextest run -p runtime --test conformance");
    assert!(written == table, "docs/conformance.md is not up to date; write it: {mend}");
}

#[test]
fn a_rule_is_read_from_a_function_and_from_a_step() {
    let mut shown = Shown::new();
    functions("#[test]\nfn fa_27_and_fa_28_hold() {}\nfn al_x() {}", "a.rs", &mut shown);
    steps(r#"{"steps": [{"rules": ["DO-1"], "request": {"path": "/x"}}]}"#, "app", &mut shown);
    let rules: Vec<String> =
        shown.keys().map(|(kind, number)| format!("{kind}-{number}")).collect();
    assert_eq!(rules, ["DO-1", "FA-27", "FA-28"]);
}

fn table(shown: &Shown) -> String {
    let mut text = "# Which test shows which rule\n\nMade from the tests by \
        `runtime/tests/conformance.rs`; not kept by hand. Rules are those of the\nbehaviour \
        specification. A rule without a test may hold all the same: it says what a program\n\
        cannot observe, belongs to a feature that is not there yet, or still wants its test.\n"
        .to_owned();
    for (kind, name, last) in CHAPTERS {
        let numbers: BTreeSet<u32> = shown
            .keys()
            .filter(|(of, _)| of == kind)
            .map(|(_, number)| *number)
            .chain(1..=last)
            .collect();
        let tested = numbers.iter().filter(|n| shown.contains_key(&(kind.into(), **n))).count();
        text += &format!("\n## {name}: {tested} of {}\n\n", numbers.len());
        text += "| rule | shown by |\n|---|---|\n";
        for number in numbers {
            let tests = shown.get(&(kind.to_owned(), number));
            let tests: Vec<&str> = tests.into_iter().flatten().map(String::as_str).collect();
            let explained = EXPLAINED.iter().find(|(of, rule, _)| *of == kind && *rule == number);
            let tests = match explained {
                _ if !tests.is_empty() => tests.join("<br>"),
                Some((.., reason)) => (*reason).to_owned(),
                None => "–".into(),
            };
            text += &format!("| {kind}-{number} | {tests} |\n");
        }
    }
    text
}

fn shown() -> Shown {
    let mut shown = Shown::new();
    for path in files(&root().join("crates"), "rs")
        .into_iter()
        .chain(files(&root().join("runtime"), "rs"))
        .filter(|path| !path.ends_with("conformance.rs"))
    {
        let name = relative(&path);
        functions(&fs::read_to_string(path).unwrap(), &name, &mut shown);
    }
    for path in files(&root().join("test_apps"), "json") {
        let app = relative(path.parent().unwrap());
        steps(&fs::read_to_string(path).unwrap(), &app, &mut shown);
    }
    shown
}

/// `fn fa_27_and_fa_28_…` names two rules.
fn functions(text: &str, file: &str, shown: &mut Shown) {
    let names = text.split("fn ").skip(1).filter_map(|rest| rest.split_once('('));
    for (name, _) in names.filter(|(name, _)| !name.contains(char::is_whitespace)) {
        let words: Vec<&str> = name.split('_').collect();
        for pair in words.windows(2) {
            let kind = pair[0].to_ascii_uppercase();
            let is_kind = CHAPTERS.iter().any(|(known, ..)| *known == kind);
            if let (true, Ok(number)) = (is_kind, pair[1].parse()) {
                let test = format!("`{file}`: {}", words.join(" "));
                shown.entry((kind, number)).or_default().insert(test);
            }
        }
    }
}

fn steps(text: &str, app: &str, shown: &mut Shown) {
    let expect: Value = serde_json::from_str(text).unwrap();
    for step in expect["steps"].as_array().into_iter().flatten() {
        for rule in step["rules"].as_array().into_iter().flatten() {
            let (kind, number) = rule.as_str().unwrap().split_once('-').unwrap();
            let place = format!("`{app}`: {}", title(step));
            let number = number.parse().unwrap();
            shown.entry((kind.to_owned(), number)).or_default().insert(place);
        }
    }
}

/// What a step does: a request to a path, or something with a WebSocket.
fn title(step: &Value) -> String {
    match (step["request"]["path"].as_str(), &step["send"]) {
        (Some(path), _) => path.to_owned(),
        (None, Value::Null) => "on a WebSocket".to_owned(),
        (None, sent) => format!("on a WebSocket: {}", sent.to_string().replace('"', "")),
    }
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("node_modules") {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}
