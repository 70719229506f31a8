//! Checks which crate may depend on which: the table of ARCHITECTURE.md, read from cargo.
//!
//! Arrows point down. What a test needs (`[dev-dependencies]`) is free.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

use std::process::Command;

use serde_json::{Value, json};

/// A crate of ours and the crates of ours it may import.
const ARROWS: [(&str, &[&str]); 9] = [
    ("runtime", &["network", "control", "ops", "worker", "isolate", "storage"]),
    ("network", &["worker"]),
    ("control", &["worker", "storage"]),
    ("ops", &["worker", "isolate", "storage"]),
    ("worker", &["isolate", "storage"]),
    ("isolate", &[]),
    ("storage", &[]),
    ("bench", &[]),
    ("xtask", &[]),
];

/// A library and the crates of ours that may import it.
const OWNERS: [(&str, &[&str]); 6] = [
    ("deno_core", &["isolate", "ops"]),
    ("v8", &["isolate"]),
    ("rusqlite", &["storage"]),
    ("hyper", &["network"]),
    ("hyper-util", &["network"]),
    ("clap", &["runtime"]),
];

#[test]
fn arrows_point_down() {
    let wrong = wrong_arrows(&metadata());
    assert!(wrong.is_empty(), "{} to mend\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn arrow_upwards_is_found() {
    check("storage", "worker", None, 1);
    check("ops", "network", Some("build"), 1);
    check("worker", "storage", None, 0);
    check("storage", "worker", Some("dev"), 0);
}

#[test]
fn library_of_another_room_is_found() {
    check("worker", "deno_core", None, 1);
    check("network", "rusqlite", None, 1);
    check("storage", "rusqlite", None, 0);
    check("runtime", "deno_core", Some("build"), 0);
}

#[test]
fn crate_outside_the_table_is_found() {
    check("cache", "bytes", None, 1);
}

/// Asserts how many arrows are wrong if `from` depends on `to` in the way `kind` says.
fn check(from: &str, to: &str, kind: Option<&str>, wrong: usize) {
    let dependencies = json!([{ "name": to, "kind": kind }]);
    let packages = json!([{ "name": from, "dependencies": dependencies }]);
    let found = wrong_arrows(&json!({ "packages": packages }));
    assert_eq!(found.len(), wrong, "{from} -> {to}: {found:?}");
}

fn wrong_arrows(metadata: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().expect("cargo lists packages") {
        let name = package["name"].as_str().expect("a package has a name");
        let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == name) else {
            wrong.push(format!("{name}: not in the table of rooms; add it here and in the map"));
            continue;
        };
        for dependency in package["dependencies"].as_array().expect("a package lists them") {
            let to = dependency["name"].as_str().expect("a dependency has a name");
            let kind = dependency["kind"].as_str().unwrap_or("normal");
            if kind != "dev" && !may_import(name, allowed, to, kind) {
                wrong.push(format!("{name} -> {to} ({kind}): take it out of the manifest"));
            }
        }
    }
    wrong
}

fn may_import(from: &str, allowed: &[&str], to: &str, kind: &str) -> bool {
    if ARROWS.iter().any(|(ours, _)| *ours == to) {
        return allowed.contains(&to);
    }
    let owners = OWNERS.iter().find(|(library, _)| *library == to);
    let builds_snapshot = from == "runtime" && kind == "build";
    owners.is_none_or(|(_, owners)| owners.contains(&from)) || builds_snapshot
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .expect("cargo that built this test is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo prints JSON")
}
