//! What is linked into `beryl` keeps to `deny.toml`: licences, no banned crate, no second version
//! without a reason, everything from crates.io and pinned by checksum.
//!
//! `cargo deny` checks the same and advisories as well, but is not everywhere; this needs cargo
//! only, and no network.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use spdx::{Expression, LicenseReq, ParseMode};

/// A crate that is linked, or that a build script runs.
struct Package {
    name: String,
    version: String,
    license: String,
    source: Option<String>,
}

#[test]
fn every_licence_is_allowed() {
    let rules = rules();
    let allowed: Vec<LicenseReq> =
        texts(&rules["licenses"]["allow"]).iter().map(|text| req(text)).collect();
    let is_allowed = |package: &Package| {
        let expression = Expression::parse_mode(&package.license, ParseMode::LAX);
        expression.is_ok_and(|expression| expression.evaluate(|req| allowed.contains(req)))
    };
    let wrong: Vec<String> = packages()
        .iter()
        .filter(|package| !is_allowed(package))
        .map(|package| format!("{} {}: {}", package.name, package.version, package.license))
        .collect();
    assert!(wrong.is_empty(), "licences that deny.toml does not allow:\n{}", wrong.join("\n"));
}

#[test]
fn no_crate_is_banned() {
    let banned = names(&rules()["bans"]["deny"]);
    let found: Vec<String> = packages()
        .into_iter()
        .filter(|package| banned.contains(&package.name))
        .map(|package| package.name)
        .collect();
    assert!(found.is_empty(), "deny.toml bans {}", found.join(", "));
}

#[test]
fn a_second_version_of_a_crate_has_a_reason() {
    let rules = rules();
    let skipped = names(&rules["bans"]["skip"]);
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in packages() {
        versions.entry(package.name).or_default().insert(package.version);
    }
    let twice: BTreeSet<String> =
        versions.into_iter().filter(|(_, all)| all.len() > 1).map(|(name, _)| name).collect();
    let new: Vec<&String> = twice.difference(&skipped).collect();
    assert!(new.is_empty(), "in two versions, without a reason in deny.toml: {new:?}");
    let gone: Vec<&String> = skipped.difference(&twice).collect();
    assert!(gone.is_empty(), "deny.toml excuses what is there once only: {gone:?}");
}

#[test]
fn everything_comes_from_crates_io_with_a_checksum() {
    for package in packages() {
        let Some(source) = package.source else { continue };
        assert!(source.contains("crates.io"), "{} comes from {source}", package.name);
    }
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let lock: toml::Table = lock.parse().unwrap();
    for package in lock["package"].as_array().unwrap() {
        let is_pinned = package.get("source").is_none() || package.get("checksum").is_some();
        assert!(is_pinned, "{:?} has no checksum", package["name"]);
    }
}

/// All that the binary is made of, ours included.
fn packages() -> Vec<Package> {
    let metadata = metadata();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let nodes: BTreeMap<&str, &Value> =
        nodes.iter().map(|node| (node["id"].as_str().unwrap(), node)).collect();
    let all = metadata["packages"].as_array().unwrap();
    let start = all.iter().find(|package| package["name"] == "runtime").unwrap();
    let mut wanted = vec![start["id"].as_str().unwrap()];
    let mut seen = BTreeSet::new();
    while let Some(id) = wanted.pop() {
        if !seen.insert(id) {
            continue;
        }
        for dependency in nodes[id]["deps"].as_array().unwrap() {
            let kinds = dependency["dep_kinds"].as_array().unwrap();
            if kinds.iter().any(|kind| kind["kind"] != "dev") {
                wanted.push(dependency["pkg"].as_str().unwrap());
            }
        }
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let linked = all.iter().filter(|package| seen.contains(package["id"].as_str().unwrap()));
    linked
        .map(|package| Package {
            name: text(&package["name"]),
            version: text(&package["version"]),
            license: text(&package["license"]),
            source: package["source"].as_str().map(str::to_owned),
        })
        .collect()
}

fn metadata() -> Value {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let arguments =
        ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform"];
    let mut cargo = Command::new(env!("CARGO"));
    let output = cargo.args(arguments).arg(target).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn rules() -> toml::Table {
    fs::read_to_string(root().join("deny.toml")).unwrap().parse().unwrap()
}

fn req(text: &str) -> LicenseReq {
    let expression = Expression::parse(text).unwrap();
    expression.requirements().next().unwrap().req.clone()
}

fn texts(list: &toml::Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn names(list: &toml::Value) -> BTreeSet<String> {
    let names = list.as_array().unwrap().iter();
    names.map(|entry| entry["crate"].as_str().unwrap().to_owned()).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
