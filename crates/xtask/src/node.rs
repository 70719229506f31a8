//! Installs the npm packages of the lock files in `bench/` and `test_apps/`.
//!
//! In `bench/` they are other people's runtimes: workerd, which a test and the bench compare Beryl
//! with, and Deno, the bench's third column; in `test_apps/` what apps are bundled of. Nothing of
//! Beryl itself needs them, so a machine without npm gets a warning; under `CI` it is an error.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Folders with a lock file, and the package each needs most. It is optional to npm, which leaves
/// out those for other machines, and is silent about one it cannot get.
const FOLDERS: [(&str, &str); 2] = [("bench", "@cloudflare"), ("test_apps", "@esbuild")];

/// Installs what the lock files name, unless that is what is installed already.
pub fn install(root: &Path) -> Result<(), String> {
    FOLDERS.iter().try_for_each(|(name, needed)| install_in(&root.join(name), name, needed))
}

fn install_in(folder: &Path, name: &str, needed: &str) -> Result<(), String> {
    if is_current(folder) {
        println!("node packages of {name}: up to date");
        return Ok(());
    }
    let run = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"])
        .current_dir(folder)
        .status();
    let outcome = match run {
        Ok(status) if status.success() => stamp(folder, needed),
        Ok(status) => Err(format!("`npm ci` in {name}/ failed: {status}")),
        Err(error) => Err(format!("cannot run npm: {error}; install Node.js 20 or later")),
    };
    match outcome {
        Err(reason) if std::env::var_os("CI").is_none() => {
            eprintln!("node packages of {name}: {reason}; tests that need them will fail");
            Ok(())
        }
        Err(reason) => Err(reason),
        Ok(()) => {
            println!("node packages: installed in {name}/node_modules");
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

/// Keeps a copy of the lock file beside the packages it named.
fn stamp(folder: &Path, needed: &str) -> Result<(), String> {
    if !folder.join("node_modules").join(needed).is_dir() {
        return Err(format!("npm installed no {needed}: none for this machine, or no network"));
    }
    let copied = fs::copy(folder.join("package-lock.json"), folder.join(STAMP));
    copied.map(drop).map_err(|e| format!("cannot write {STAMP}: {e}"))
}

const STAMP: &str = "node_modules/.beryl-lock.json";
