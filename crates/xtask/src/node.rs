//! Installs the npm packages of `bench/package-lock.json` into `bench/node_modules`.
//!
//! They are other people's runtimes: workerd, which a test and the bench compare Beryl with, and
//! Deno, the bench's third column. Nothing of Beryl itself needs them, so a machine without npm
//! gets a warning; under `CI` it is an error.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Installs what the lock file names, unless that is what is installed already.
pub fn install(root: &Path) -> Result<(), String> {
    let folder = root.join("bench");
    if is_current(&folder) {
        println!("node packages: up to date");
        return Ok(());
    }
    let run = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"])
        .current_dir(&folder)
        .status();
    let outcome = match run {
        Ok(status) if status.success() => stamp(&folder),
        Ok(status) => Err(format!("`npm ci` in bench/ failed: {status}")),
        Err(error) => Err(format!("cannot run npm: {error}; install Node.js 20 or later")),
    };
    match outcome {
        Err(reason) if std::env::var_os("CI").is_none() => {
            eprintln!("node packages: {reason}; comparing with workerd will not work");
            Ok(())
        }
        Err(reason) => Err(reason),
        Ok(()) => {
            println!("node packages: installed in bench/node_modules");
            Ok(())
        }
    }
}

/// True if the installed packages come from the lock file as it is now.
fn is_current(folder: &Path) -> bool {
    let lock = fs::read(folder.join("package-lock.json"));
    let stamp = fs::read(folder.join(STAMP));
    matches!((lock, stamp), (Ok(lock), Ok(stamp)) if lock == stamp)
}

/// Keeps a copy of the lock file beside the packages it named. The packages are optional to npm,
/// which leaves out those for other machines, and is silent about one it cannot get.
fn stamp(folder: &Path) -> Result<(), String> {
    if !folder.join("node_modules/@cloudflare").is_dir() {
        return Err("npm installed no workerd: none for this machine, or no network".to_owned());
    }
    let copied = fs::copy(folder.join("package-lock.json"), folder.join(STAMP));
    copied.map(drop).map_err(|e| format!("cannot write {STAMP}: {e}"))
}

const STAMP: &str = "node_modules/.beryl-lock.json";
