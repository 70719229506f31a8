//! Apps that use packages of npm: bundled by esbuild, as wrangler does, into `target/bundles/`.
//!
//! The packages are those of `test_apps/package-lock.json`. A bundle is made once for what it is
//! made of, whoever needs it first, and appears as a whole.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::app::root;

/// Bundles `module` of the app `name`: the folder with `worker.js` and the app's configurations.
pub fn bundle(name: &str, module: &Path) -> PathBuf {
    let folder = module.parent().unwrap();
    let made = root().join("target/bundles").join(format!("{name}-{:016x}", key(folder)));
    if made.is_dir() {
        return made;
    }
    fs::create_dir_all(made.parent().unwrap()).unwrap();
    let fresh = tempfile::tempdir_in(made.parent().unwrap()).unwrap();
    run_esbuild(module, &fresh.path().join("worker.js"));
    for file in files(folder).filter(|file| !file.ends_with("expect.json")) {
        if file.extension().is_some_and(|extension| extension != "js") {
            fs::copy(&file, fresh.path().join(file.file_name().unwrap())).unwrap();
        }
    }
    // Another test may have been faster, with the same result.
    if fs::rename(fresh.path(), &made).is_ok() {
        let _ = fresh.keep();
    }
    assert!(made.is_dir(), "{} was not made", made.display());
    made
}

fn run_esbuild(module: &Path, out: &Path) {
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let packages = root().join("test_apps/node_modules");
    let esbuild = packages.join(format!("@esbuild/linux-{arch}/bin/esbuild"));
    let mend = "install it: cargo run -q -p xtask -- node";
    assert!(esbuild.is_file(), "esbuild is missing at {}; {mend}", esbuild.display());
    let output = Command::new(esbuild)
        .arg(module)
        .args(["--bundle", "--format=esm", "--platform=browser", "--target=es2024"])
        .args(["--conditions=workerd,worker,browser", "--main-fields=browser,module,main"])
        .args(["--external:cloudflare:*", "--external:node:*", "--log-level=warning"])
        .arg(format!("--outfile={}", out.display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", module.display());
}

/// A number for the sources of an app, of those it may import, and of the packages.
fn key(folder: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    let apps = root().join("test_apps");
    let mut sources: Vec<PathBuf> = files(folder).chain(files(&apps.join("partyserver"))).collect();
    sources.push(apps.join("package-lock.json"));
    sources.push(root().join("runtime/tests/server/bundle.rs"));
    sources.sort();
    for source in sources {
        fs::read(source).unwrap().hash(&mut hasher);
    }
    hasher.finish()
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_file())
}
