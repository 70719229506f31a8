//! The place in cargo's home where the build script of the crate `v8` looks before it downloads.
//!
//! A file there is named after the URL it stands for, with every character that is not an ASCII
//! letter or digit replaced by `_`. The build script takes gzip and plain archives alike. Files
//! appear under their name only when they are whole.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

const OFFICIAL: &str = "https://github.com/denoland/rusty_v8/releases/download";

/// Which archive one target of one version of the crate `v8` links.
pub struct Wanted {
    /// Version of the crate `v8`, for instance `150.4.0`.
    pub version: String,
    /// Target triple.
    pub target: String,
    /// Replaces the address of the official releases; the crate's `RUSTY_V8_MIRROR`.
    pub mirror: Option<String>,
}

impl Wanted {
    /// The address that the build script would download.
    pub fn url(&self) -> String {
        let base = self.mirror.as_deref().unwrap_or(OFFICIAL);
        format!("{base}/v{}/{}.gz", self.version, self.archive_name())
    }

    /// Name of the unpacked archive as upstream publishes it for the features of `deno_core`.
    pub fn archive_name(&self) -> String {
        format!("librusty_v8_simdutf_release_{}.a", self.target)
    }

    /// Where in `cargo_home` the archive is looked for.
    pub fn cached_at(&self, cargo_home: &Path) -> PathBuf {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        cargo_home.join(".rusty_v8").join(self.url().chars().map(plain).collect::<String>())
    }
}

/// What a file in the cache is, judged by its first bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Cached {
    /// A gzip file: what the official releases hold.
    Gzip,
    /// An archive for the linker: what this repository's fallback unpacks to.
    Archive,
    /// Anything else, for instance a page that a proxy sent.
    Unusable,
}

/// Looks at the file at `path`; `None` if there is none.
pub fn inspect(path: &Path) -> Option<Cached> {
    let mut head = [0; 8];
    let read = File::open(path).ok()?.read_exact(&mut head);
    Some(match (read, head) {
        (Ok(()), [0x1f, 0x8b, ..]) => Cached::Gzip,
        (Ok(()), head) if &head == b"!<arch>\n" => Cached::Archive,
        _ => Cached::Unusable,
    })
}

/// Lets `fill` write a file beside `path` and moves it into place if that succeeds.
pub fn replace(path: &Path, fill: impl FnOnce(&Path) -> Result<(), String>) -> Result<(), String> {
    let folder = path.parent().expect("a cache file lies in a folder");
    fs::create_dir_all(folder).map_err(|e| failed("create", folder, &e))?;
    let mut name = OsString::from(path);
    name.push(format!(".{}.part", std::process::id()));
    let part = PathBuf::from(name);
    let outcome = fill(&part)
        .and_then(|()| fs::rename(&part, path).map_err(|e| failed("rename to", path, &e)));
    if outcome.is_err() {
        // The error that matters is the first one; a leftover part is never looked at.
        let _ = fs::remove_file(&part);
    }
    outcome
}

/// Cargo's home as cargo itself finds it.
pub fn cargo_home() -> Result<PathBuf, String> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("CARGO_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cargo")))
        .ok_or_else(|| "neither CARGO_HOME nor HOME is set".to_owned())
}

/// A message for an I/O error: what was tried on which path.
pub fn failed(verb: &str, path: &Path, error: &io::Error) -> String {
    format!("cannot {verb} {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(mirror: Option<&str>) -> Wanted {
        Wanted {
            version: "150.4.0".to_owned(),
            target: "x86_64-unknown-linux-gnu".to_owned(),
            mirror: mirror.map(str::to_owned),
        }
    }

    #[test]
    fn cache_name_is_the_url_with_underscores() {
        let path = wanted(None).cached_at(Path::new("/home"));
        let expected = "/home/.rusty_v8/https___github_com_denoland_rusty_v8_releases_download_\
                        v150_4_0_librusty_v8_simdutf_release_x86_64_unknown_linux_gnu_a_gz";
        assert_eq!(path, Path::new(expected));
    }

    #[test]
    fn mirror_replaces_the_official_address() {
        let url = wanted(Some("http://mirror")).url();
        let name = "librusty_v8_simdutf_release_x86_64-unknown-linux-gnu.a.gz";
        assert_eq!(url, format!("http://mirror/v150.4.0/{name}"));
    }

    #[test]
    fn failed_fill_leaves_no_file() {
        let folder = std::env::temp_dir().join(format!("beryl-cache-{}", std::process::id()));
        let path = folder.join("archive");
        let outcome = replace(&path, |part| {
            fs::write(part, b"half").expect("the temporary folder is writable");
            Err("broken off".to_owned())
        });
        assert_eq!(outcome, Err("broken off".to_owned()));
        assert_eq!(fs::read_dir(&folder).expect("the folder was created").count(), 0);
        fs::remove_dir(&folder).expect("the folder is empty");
    }

    #[test]
    fn page_of_a_proxy_is_unusable() {
        let path = std::env::temp_dir().join(format!("beryl-page-{}", std::process::id()));
        fs::write(&path, b"<html><body>no</body></html>").expect("writable");
        assert_eq!(inspect(&path), Some(Cached::Unusable));
        fs::remove_file(&path).expect("it was just written");
        assert_eq!(inspect(&path), None);
    }
}
