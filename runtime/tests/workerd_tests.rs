//! workerd's own tests on Beryl, as an outside suite: none of them may stop passing.
//!
//! `WORKERD_TREE` names a checked-out tree of workerd; without one there is nothing to run. Its
//! files are converted by `conformance/wdtest2json.py`, which needs Python, and run by
//! `beryl test`, a process each. `conformance/expected.tsv` has the outcome of every case, and
//! `conformance/reasons.tsv` says why some do not pass; with `BERYL_BLESS=1` the first and
//! `docs/workerd-tests.md` are written anew.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use serde_json::Value;
use tempfile::tempdir;

/// The outcomes of a file's cases by their names, in a stable order.
type Cases = BTreeMap<String, Outcome>;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Outcome {
    word: String,
    /// What was missing, where that is known.
    detail: String,
}

#[test]
fn what_passed_of_workerds_tests_still_passes() {
    let Some(tree) = std::env::var_os("WORKERD_TREE").map(PathBuf::from) else {
        eprintln!("skipped: WORKERD_TREE names no tree of workerd");
        return;
    };
    let areas = areas();
    let found = run_all(&tree, &areas);
    if std::env::var_os("BERYL_BLESS").is_some() {
        fs::write(beside("expected.tsv"), expectation(&found)).unwrap();
        fs::write(root().join("docs/workerd-tests.md"), page(&areas, &found)).unwrap();
        return;
    }
    let lost: Vec<String> = expected()
        .into_iter()
        .filter(|(_, _, word)| word == "pass")
        .filter_map(|(file, case, _)| {
            let now = found.get(&file).and_then(|cases| cases.get(&case));
            let now =
                now.map_or_else(|| "absent".to_owned(), |it| format!("{} {}", it.word, it.detail));
            (now.trim() != "pass").then(|| format!("{file} {case}: {now}"))
        })
        .collect();
    assert!(lost.is_empty(), "{} no longer pass\n{}", lost.len(), lost.join("\n"));
}

#[test]
fn the_page_counts_what_is_expected() {
    let mut found: BTreeMap<String, Cases> = BTreeMap::new();
    for (file, case, word) in expected() {
        let outcome = Outcome { word, detail: String::new() };
        found.entry(file).or_default().insert(case, outcome);
    }
    let written = fs::read_to_string(root().join("docs/workerd-tests.md")).unwrap();
    let table = |text: &str| -> Vec<String> {
        let rows = text.lines().take_while(|line| !line.starts_with("## "));
        rows.filter(|line| line.starts_with("| ")).map(str::to_owned).collect()
    };
    let made = table(&page(&areas(), &found));
    assert!(made.len() > 5, "{made:?}");
    assert_eq!(table(&written), made, "run this test with BERYL_BLESS=1 and WORKERD_TREE");
}

/// Runs the files of all areas, two at a time; most of them wait as much as they work.
fn run_all(tree: &Path, areas: &[(String, String)]) -> BTreeMap<String, Cases> {
    let next = Mutex::new(areas.iter());
    let found = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let file = next.lock().unwrap().next();
                    let Some((_, file)) = file else { return };
                    let cases = run(tree, file);
                    found.lock().unwrap().insert(file.clone(), cases);
                }
            });
        }
    });
    found.into_inner().unwrap()
}

fn run(tree: &Path, file: &str) -> Cases {
    let dir = tempdir().unwrap();
    let document = dir.path().join("suite.json");
    let report = dir.path().join("report.jsonl");
    let converted = Command::new("python3")
        .arg(beside("wdtest2json.py"))
        .arg(tree.join(file))
        .output()
        .expect("python3 converts workerd's files");
    assert!(converted.status.success(), "{}", String::from_utf8_lossy(&converted.stderr));
    fs::write(&document, converted.stdout).unwrap();
    let mut test = server::beryl("test");
    test.arg(&document).arg("--report").arg(&report).arg("--tmp").arg(dir.path());
    // What became of it is in the report.
    let output = test.output().unwrap();
    let Ok(lines) = fs::read_to_string(&report) else {
        panic!("{file}: no report\n{}", String::from_utf8_lossy(&output.stderr));
    };
    lines.lines().skip(1).map(case).collect()
}

fn case(line: &str) -> (String, Outcome) {
    let line: Value = serde_json::from_str(line).unwrap();
    let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
    (text("case"), Outcome { word: text("outcome"), detail: text("reason") })
}

/// A line for every case: file, case, outcome, and what was missing.
fn expectation(found: &BTreeMap<String, Cases>) -> String {
    let mut text = "# file, case, outcome; made with BERYL_BLESS=1, not kept by hand\n".to_owned();
    for (file, cases) in found {
        for (case, outcome) in cases {
            let _ = writeln!(text, "{file}\t{case}\t{}\t{}", outcome.word, outcome.detail);
        }
    }
    text
}

fn page(areas: &[(String, String)], found: &BTreeMap<String, Cases>) -> String {
    let mut text = HEAD.to_owned();
    let mut sums: Vec<(String, usize, usize)> = Vec::new();
    for (area, file) in areas {
        let cases = found.get(file).into_iter().flatten();
        let words: Vec<&str> = cases.map(|(_, outcome)| outcome.word.as_str()).collect();
        let passed = words.iter().filter(|word| **word == "pass").count();
        match sums.iter_mut().find(|(known, ..)| known == area) {
            Some((_, all, good)) => (*all, *good) = (*all + words.len(), *good + passed),
            None => sums.push((area.clone(), words.len(), passed)),
        }
    }
    for (area, all, passed) in &sums {
        let percent = passed * 100 / (*all).max(1);
        let _ = writeln!(text, "| {area} | {all} | {passed} | {percent} % |");
    }
    text += "\n## What does not pass\n";
    let reasons = reasons();
    for (area, _, _) in &sums {
        let _ =
            writeln!(text, "\n### {area}\n\n| file | case | outcome | why |\n|---|---|---|---|");
        for (_, file) in areas.iter().filter(|(of, _)| of == area) {
            let cases = found.get(file).into_iter().flatten();
            for (case, outcome) in cases.filter(|(_, outcome)| outcome.word != "pass") {
                let name = file.rsplit('/').next().unwrap();
                let why = why(&reasons, name, case, outcome);
                let _ = writeln!(text, "| {name} | {case} | {} | {why} |", outcome.word);
            }
        }
    }
    text
}

fn why(reasons: &[(String, String)], file: &str, case: &str, outcome: &Outcome) -> String {
    if !outcome.detail.is_empty() {
        return outcome.detail.clone();
    }
    let place = format!("{file} {case}");
    let reason = reasons.iter().find(|(start, _)| place.starts_with(start.as_str()));
    reason.map_or_else(|| "not yet".to_owned(), |(_, reason)| reason.clone())
}

fn areas() -> Vec<(String, String)> {
    let lines = rows("areas.tsv");
    lines.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect()
}

fn expected() -> Vec<(String, String, String)> {
    let lines = rows("expected.tsv");
    lines.into_iter().map(|row| (row[0].clone(), row[1].clone(), row[2].clone())).collect()
}

/// Why cases do not pass, by the start of `file case`; the first that fits counts.
fn reasons() -> Vec<(String, String)> {
    let lines = rows("reasons.tsv");
    lines.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect()
}

fn rows(name: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(beside(name)).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

fn beside(name: &str) -> PathBuf {
    root().join("runtime/tests/conformance").join(name)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

const HEAD: &str = "# workerd's own tests on Beryl

Made by `runtime/tests/workerd_tests.rs`; not kept by hand. The tests are those that workerd's
repository carries for what anybody can use; they are read from a checked-out tree and are not
part of this repository. To run them:

```sh
WORKERD_TREE=~/workerd cargo test --package runtime --test workerd_tests
```

Without `WORKERD_TREE` they are skipped. A case that passed once must go on passing. *skip* means
that a case uses something Beryl has not got, and never counts as passed.

| area | cases | pass | |
|---|---|---|---|
";
