//! What the binary is made of, as a CycloneDX document: every crate with version, licence and
//! checksum, and the two libraries in other languages that crates bring along.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// Writes `target/beryl.cdx.json`.
pub fn write(root: &Path) -> Result<(), String> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let metadata: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("metadata: {error}"))?;
    let lock = std::fs::read_to_string(root.join("Cargo.lock"))
        .map_err(|error| format!("Cargo.lock: {error}"))?;
    let document = document(&metadata, &checksums(&lock));
    let path = root.join("target/beryl.cdx.json");
    let text = serde_json::to_string_pretty(&document).map_err(|error| error.to_string())?;
    std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    let count = document["components"].as_array().map_or(0, Vec::len);
    println!("sbom: {count} components in {}", path.display());
    Ok(())
}

fn document(metadata: &Value, checksums: &BTreeMap<(String, String), String>) -> Value {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let mut components: Vec<Value> = packages
        .filter(|package| !package["source"].is_null())
        .map(|package| component(package, checksums))
        .collect();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let brought = match package["name"].as_str() {
            Some("v8") => "V8",
            Some("libsqlite3-sys") => "SQLite",
            _ => continue,
        };
        let within = format!("in {} {}", text(&package["name"]), text(&package["version"]));
        let version = text(&package["version"]);
        components.push(json!({
            "type": "library",
            "name": brought,
            "version": version,
            "description": within,
        }));
    }
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": {
            "type": "application",
            "name": "beryl",
            "version": env!("CARGO_PKG_VERSION"),
        } },
        "components": components,
    })
}

fn component(package: &Value, checksums: &BTreeMap<(String, String), String>) -> Value {
    let (name, version) = (text(&package["name"]), text(&package["version"]));
    let mut component = json!({
        "type": "library",
        "name": name,
        "version": version,
        "purl": format!("pkg:cargo/{name}@{version}"),
    });
    if let Some(license) = package["license"].as_str() {
        // Slashes are how crates said "or" once.
        component["licenses"] = json!([{ "expression": license.replace('/', " OR ") }]);
    }
    if let Some(checksum) = checksums.get(&(name, version)) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    component
}

/// The checksums of a lock file by name and version. Its form is simple enough to be read by
/// lines.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let packages = lock.split("[[package]]").skip(1);
    let entries = packages.filter_map(|package| {
        let field = |name: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.trim_start_matches(" = ").trim_matches('"').to_owned())
        };
        Some(((field("name")?, field("version")?), field("checksum")?))
    });
    entries.collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_becomes_a_component_with_licence_and_checksum() {
        let lock = "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nchecksum = \"abc\"\n";
        let packages = json!({ "packages": [
            { "name": "a", "version": "1.0.0", "license": "MIT/Apache-2.0", "source": "x" },
            { "name": "ours", "version": "0.1.0", "source": null },
            { "name": "v8", "version": "150.0.0", "license": "MIT", "source": "x" },
        ] });
        let document = document(&packages, &checksums(lock));
        let components = document["components"].as_array().unwrap();
        assert_eq!(components.len(), 3);
        assert_eq!(components[0]["purl"], "pkg:cargo/a@1.0.0");
        assert_eq!(components[0]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(components[0]["hashes"][0]["content"], "abc");
        assert_eq!(components[2]["name"], "V8");
    }
}
