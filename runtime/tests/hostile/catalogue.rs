//! The attacks in `test_apps/hostile/` and what must become of each.
//!
//! A script begins with a line `// A01: what it does.` and a line `// expect:` with one or more
//! outcomes, any of which is right: `answers TEXT`, `throws TEXT…`, `STATUS CODE`, `deploy CODE`
//! where the code is refused, `process` where the worker process is replaced. `// slow` keeps it
//! out of the quick run. What goes over the wire is JSON: `send` has texts and `{repeat, times}`,
//! `expect` the statuses that are right.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::server::app::root;

/// One script.
#[derive(Clone)]
pub struct Attack {
    /// The name of its file, without the ending.
    pub name: String,
    /// What it runs.
    pub source: String,
    expect: Vec<String>,
    is_slow: bool,
}

/// What is sent over a connection, byte by byte.
pub struct Wire {
    /// The name of its file, without the ending.
    pub name: String,
    /// Whether it is for the admin listener.
    pub is_for_admin: bool,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Statuses, or `closed`.
    pub expect: Vec<String>,
}

impl Attack {
    /// The attacks of a folder, the slow ones where everything is to run.
    pub fn all(folder: &str) -> Vec<Attack> {
        let attacks = files(folder, "js").into_iter().map(|path| Attack::read(&path));
        attacks.filter(|attack| !attack.is_slow || is_torture()).collect()
    }

    /// One of a folder.
    pub fn find(folder: &str, name: &str) -> Attack {
        let attacks = files(folder, "js").into_iter().map(|path| Attack::read(&path));
        let found = attacks.into_iter().find(|attack| attack.name == name);
        found.unwrap_or_else(|| panic!("there is no attack {folder}/{name}"))
    }

    fn read(path: &Path) -> Attack {
        let source = fs::read_to_string(path).unwrap();
        let expect = source.lines().find_map(|line| line.strip_prefix("// expect: "));
        let expect = expect.unwrap_or_else(|| panic!("{}: no `// expect:`", path.display()));
        let expect = expect.split(" | ").map(str::to_owned).collect();
        let is_slow = source.lines().any(|line| line == "// slow");
        Attack { name: stem(path), source, expect, is_slow }
    }

    /// True if this may become of it.
    pub fn may_end_in(&self, outcome: &str) -> bool {
        self.expect.iter().any(|expected| match expected.starts_with("throws") {
            true => outcome.starts_with(expected.as_str()),
            false => outcome == expected,
        })
    }

    /// What must become of it.
    pub fn expected(&self) -> String {
        self.expect.join(" or ")
    }
}

impl Wire {
    /// All of them.
    pub fn all() -> Vec<Wire> {
        files("wire", "json").iter().map(|path| Wire::read(path)).collect()
    }

    fn read(path: &Path) -> Wire {
        let json: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let mut bytes = Vec::new();
        for part in json["send"].as_array().unwrap() {
            match part.as_str() {
                Some(text) => bytes.extend(text.as_bytes()),
                None => {
                    let times = usize::try_from(part["times"].as_u64().unwrap()).unwrap();
                    bytes.extend(part["repeat"].as_str().unwrap().repeat(times).bytes());
                }
            }
        }
        let expect = json["expect"].as_array().unwrap();
        Wire {
            name: stem(path),
            is_for_admin: json["to"] == "admin",
            bytes,
            expect: expect.iter().map(|one| one.as_str().unwrap().to_owned()).collect(),
        }
    }
}

/// Whether everything is to run, with neighbours under load.
pub fn is_torture() -> bool {
    std::env::var_os("BERYL_TORTURE").is_some()
}

/// A file of the catalogue that attacks are run with.
pub fn text(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

fn files(group: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder().join(group)).unwrap();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no attacks in {group}");
    files
}

fn folder() -> PathBuf {
    root().join("test_apps/hostile")
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}
