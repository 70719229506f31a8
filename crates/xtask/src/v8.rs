//! Makes V8's static library ready for the build script of the crate `v8`.
//!
//! The first of these wins: `RUSTY_V8_ARCHIVE`; a file that is already in cargo's cache; the
//! official prebuilt download; the archive in `third_party/v8` (x86_64 Linux only). The last two
//! end in cargo's cache, so that a plain `cargo build`, an editor and other checkouts find it too.
//! `BERYL_V8_DIR` names another folder with the contents of `third_party/v8`.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lzma_rust2::XzReader;
use sha2::{Digest, Sha256};

use crate::cache::{self, Cached, Wanted, failed};

/// Makes V8 ready for the workspace in `root` and prints the source that was taken.
pub fn make_ready(root: &Path) -> Result<(), String> {
    if let Some(archive) = std::env::var_os("RUSTY_V8_ARCHIVE") {
        return use_given(Path::new(&archive));
    }
    let wanted = wanted(root)?;
    let path = wanted.cached_at(&cache::cargo_home()?);
    if let Some(kind) = cache::inspect(&path) {
        match kind {
            Cached::Gzip => return say("official prebuilt archive, cached", &path),
            Cached::Archive => return say("archive from third_party/v8, cached", &path),
            Cached::Unusable => eprintln!("V8: {} is no archive, replaced", path.display()),
        }
    }
    match cache::replace(&path, |part| download(&wanted.url(), part)) {
        Ok(()) => say("official prebuilt archive, downloaded to", &path),
        Err(reason) => {
            let folder = fallback(root, &wanted, &reason)?;
            cache::replace(&path, |part| unpack(&folder, &wanted.archive_name(), part))?;
            say(&format!("{} ({reason}), unpacked to", folder.display()), &path)
        }
    }
}

fn say(source: &str, path: &Path) -> Result<(), String> {
    println!("V8: {source} {}", path.display());
    Ok(())
}

fn use_given(archive: &Path) -> Result<(), String> {
    if archive.to_string_lossy().starts_with("http") || archive.is_file() {
        return say("RUSTY_V8_ARCHIVE", archive);
    }
    Err(format!("RUSTY_V8_ARCHIVE names {}, which is no file: unset or mend it", archive.display()))
}

/// The archive this workspace links on this machine.
fn wanted(root: &Path) -> Result<Wanted, String> {
    let path = root.join("Cargo.lock");
    let lock = fs::read_to_string(&path).map_err(|e| failed("read", &path, &e))?;
    Ok(Wanted {
        version: locked_version(&lock).ok_or("Cargo.lock names no crate v8")?.to_owned(),
        target: host()?,
        mirror: std::env::var("RUSTY_V8_MIRROR").ok(),
    })
}

/// The version of the crate `v8` in the text of a Cargo.lock.
fn locked_version(lock: &str) -> Option<&str> {
    let mut lines = lock.lines().skip_while(|line| *line != "name = \"v8\"");
    lines.nth(1)?.strip_prefix("version = \"")?.strip_suffix('"')
}

/// The target triple that rustc builds for.
fn host() -> Result<String, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let run = Command::new(rustc).arg("-vV").output();
    let output = run.map_err(|e| format!("cannot run rustc: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "`rustc -vV` names no host".to_owned())
}

/// Downloads `url` with curl, which gives up soon where there is no network.
fn download(url: &str, part: &Path) -> Result<(), String> {
    let flags = "--fail --location --silent --connect-timeout 5 --speed-limit 1024 --speed-time 20";
    let run = Command::new("curl")
        .args(flags.split(' '))
        .arg("--output")
        .arg(part)
        .arg(url)
        .stdin(Stdio::null())
        .status();
    match run {
        Err(error) => return Err(format!("official download not tried, curl: {error}")),
        Ok(status) if !status.success() => {
            let code = status.code().unwrap_or(-1);
            return Err(format!("official download failed, curl exit code {code}"));
        }
        Ok(_) => {}
    }
    match cache::inspect(part) {
        Some(Cached::Gzip) => Ok(()),
        _ => Err("official download is not a gzip file".to_owned()),
    }
}

/// The folder with an archive for `wanted`, or why there is none.
fn fallback(root: &Path, wanted: &Wanted, reason: &str) -> Result<PathBuf, String> {
    let (version, target) = (&wanted.version, &wanted.target);
    let mend = "set RUSTY_V8_ARCHIVE to an archive built or downloaded elsewhere";
    if version != BUNDLED_VERSION || target != BUNDLED_TARGET {
        return Err(format!(
            "{reason}, and third_party/v8 holds v8 {BUNDLED_VERSION} for {BUNDLED_TARGET}, \
             not {version} for {target}: {mend}"
        ));
    }
    let given = std::env::var_os("BERYL_V8_DIR").map(PathBuf::from);
    let folders = [Some(root.join("third_party/v8")), given];
    let packed = format!("{}.xz", wanted.archive_name());
    let found = folders.into_iter().flatten().find(|folder| folder.join(&packed).is_file());
    found.ok_or_else(|| format!("{reason}, and third_party/v8/{packed} is missing: {mend}"))
}

/// Unpacks `<name>.xz` of `folder` to `part` if both sums match those in `SHA256SUMS`.
fn unpack(folder: &Path, name: &str, part: &Path) -> Result<(), String> {
    let path = folder.join("SHA256SUMS");
    let sums = fs::read_to_string(&path).map_err(|e| failed("read", &path, &e))?;
    let packed = folder.join(format!("{name}.xz"));
    let open = || File::open(&packed).map_err(|e| failed("read", &packed, &e));

    let sum = copy_hashed(open()?, io::sink()).map_err(|e| failed("read", &packed, &e))?;
    check_sum(&sums, &format!("{name}.xz"), &sum)?;

    let reader = XzReader::new(BufReader::new(open()?), false);
    let writer = File::create(part).map_err(|e| failed("create", part, &e))?;
    let sum = copy_hashed(reader, writer).map_err(|e| failed("unpack", &packed, &e))?;
    check_sum(&sums, name, &sum)
}

/// Compares `sum` with the line for `name` in the text of a SHA256SUMS file.
fn check_sum(sums: &str, name: &str, sum: &str) -> Result<(), String> {
    let line = sums.lines().find(|line| line.split_whitespace().nth(1) == Some(name));
    match line.and_then(|line| line.split_whitespace().next()) {
        Some(expected) if expected == sum => Ok(()),
        Some(expected) => Err(format!("{name} is damaged: sha256 {sum}, expected {expected}")),
        None => Err(format!("SHA256SUMS has no line for {name}")),
    }
}

/// Copies `from` to `to` and returns the sha256 of what was copied, in hexadecimal.
fn copy_hashed(mut from: impl Read, to: impl Write) -> io::Result<String> {
    let mut to = BufWriter::with_capacity(CHUNK_BYTES, to);
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = from.read(&mut chunk)?;
        if read == 0 {
            to.flush()?;
            return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hash.update(&chunk[..read]);
        to.write_all(&chunk[..read])?;
    }
}

const BUNDLED_VERSION: &str = "150.4.0";
const BUNDLED_TARGET: &str = "x86_64-unknown-linux-gnu";
const CHUNK_BYTES: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_comes_from_the_lock_file() {
        let lock = "[[package]]\nname = \"v8\"\nversion = \"150.4.0\"\n";
        assert_eq!(locked_version(lock), Some("150.4.0"));
        assert_eq!(locked_version("[[package]]\nname = \"v9\"\n"), None);
    }

    #[test]
    fn bundled_version_is_the_locked_one() {
        let wanted = wanted(&crate::root()).unwrap();
        assert_eq!(wanted.version, BUNDLED_VERSION, "third_party/v8 must be rebuilt");
    }

    #[test]
    fn changed_byte_is_refused() {
        let sums = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  abc";
        assert_eq!(check_sum(sums, "abc", &copy_hashed(&b"abc"[..], io::sink()).unwrap()), Ok(()));
        let changed = copy_hashed(&b"abd"[..], io::sink()).unwrap();
        assert!(check_sum(sums, "abc", &changed).unwrap_err().contains("damaged"));
        assert!(check_sum(sums, "abd", &changed).unwrap_err().contains("no line"));
    }

    #[test]
    fn other_target_has_no_fallback() {
        let wanted = Wanted {
            version: BUNDLED_VERSION.to_owned(),
            target: "aarch64-apple-darwin".to_owned(),
            mirror: None,
        };
        let message = fallback(&crate::root(), &wanted, "no network").unwrap_err();
        assert!(message.contains("not 150.4.0 for aarch64-apple-darwin"), "{message}");
    }
}
