//! Which apps there are: in memory for every shard, on disk in `catalogue.json`.
//!
//! Reading never waits for the disk. A change is written to a temporary file, made durable and
//! renamed over the old one before any reader sees it, so a crash leaves the old catalogue or
//! the new one. The file is one JSON object: `{"format":1,"apps":{"<name>":{…}}}`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::name::AppName;

/// What the catalogue knows about one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// Counts deployments from 1.
    pub version: u64,
    /// The hash of the deployment that is current.
    pub hash: String,
    /// When the app was first deployed, in milliseconds since 1970.
    pub created_ms: u64,
    /// When the current deployment came, in milliseconds since 1970.
    pub updated_ms: u64,
    /// The cron patterns by which its `scheduled()` runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crons: Vec<String>,
}

/// The set of all apps; clones share it.
#[derive(Debug, Clone)]
pub struct Catalogue {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    apps: RwLock<BTreeMap<String, App>>,
    /// Held by the one change that is under way; the path of the catalogue.
    file: Mutex<PathBuf>,
}

#[derive(Serialize, Deserialize)]
struct Format {
    format: u32,
    apps: BTreeMap<String, App>,
}

impl Catalogue {
    /// Reads the catalogue of a data directory; none yet is an empty one.
    ///
    /// # Errors
    /// A `Config…` error where the file cannot be read or is damaged.
    pub fn open(data_dir: &Path) -> Result<Catalogue, Error> {
        let path = data_dir.join(FILE_NAME);
        let apps = match std::fs::read(&path) {
            Ok(text) => parse(&text).map_err(|cause| {
                let path = path.clone();
                Error::ConfigCatalogue { path, cause }
            })?,
            Err(cause) if cause.kind() == ErrorKind::NotFound => BTreeMap::new(),
            Err(cause) => return Err(Error::ConfigFile { action: "read", path, cause }),
        };
        let shared = Shared { apps: RwLock::new(apps), file: Mutex::new(path) };
        Ok(Catalogue { shared: Arc::new(shared) })
    }

    /// Adds or replaces an app; durable on return.
    ///
    /// # Errors
    /// [`Error::ConfigFile`]; then nothing has changed.
    pub fn put(&self, name: &AppName, app: App) -> Result<(), Error> {
        self.change(|apps| {
            apps.insert(name.to_string(), app);
        })
    }

    /// Removes an app; durable on return. Removing what is not there changes nothing.
    ///
    /// # Errors
    /// [`Error::ConfigFile`]; then nothing has changed.
    pub fn remove(&self, name: &AppName) -> Result<(), Error> {
        self.change(|apps| {
            apps.remove(name.as_str());
        })
    }

    /// Whether there is an app of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.read().contains_key(name)
    }

    /// What is known about one app.
    #[must_use]
    pub fn app(&self, name: &str) -> Option<App> {
        self.read().get(name).cloned()
    }

    /// All apps by name.
    #[must_use]
    pub fn apps(&self) -> BTreeMap<String, App> {
        self.read().clone()
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, App>> {
        // A map is only ever replaced as a whole, so a panic elsewhere cannot have broken it.
        self.shared.apps.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, App>)) -> Result<(), Error> {
        let path = self.shared.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut apps = self.apps();
        change(&mut apps);
        write(&path, &apps).map_err(|cause| {
            let path = path.clone();
            Error::ConfigFile { action: "write", path, cause }
        })?;
        *self.shared.apps.write().unwrap_or_else(PoisonError::into_inner) = apps;
        Ok(())
    }
}

fn parse(text: &[u8]) -> Result<BTreeMap<String, App>, String> {
    let file: Format = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if file.format != FORMAT {
        return Err(format!("format {} is not known to this version", file.format));
    }
    match file.apps.keys().find(|name| AppName::new(name).is_none()) {
        Some(name) => Err(format!("\"{name}\" is no app name")),
        None => Ok(file.apps),
    }
}

fn write(path: &Path, apps: &BTreeMap<String, App>) -> std::io::Result<()> {
    let file = Format { format: FORMAT, apps: apps.clone() };
    let text = serde_json::to_vec_pretty(&file)?;
    let temporary = path.with_extension("json.new");
    let mut file = File::create(&temporary)?;
    file.write_all(&text)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    let dir = path.parent().expect("the catalogue lies in the data directory");
    File::open(dir)?.sync_all()
}

const FILE_NAME: &str = "catalogue.json";
const FORMAT: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn app(version: u64) -> App {
        let crons = (1..version).map(|minute| format!("{minute} * * * *")).collect();
        App { version, hash: "ab".into(), created_ms: 1, updated_ms: 2, crons }
    }

    #[test]
    fn changes_survive_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let name = |name| AppName::new(name).unwrap();
        let catalogue = Catalogue::open(dir.path()).unwrap();
        let other_shard = catalogue.clone();
        catalogue.put(&name("a"), app(1)).unwrap();
        catalogue.put(&name("b"), app(1)).unwrap();
        catalogue.put(&name("a"), app(2)).unwrap();
        catalogue.remove(&name("b")).unwrap();
        assert!(other_shard.contains("a") && !other_shard.contains("b"));
        let reopened = Catalogue::open(dir.path()).unwrap();
        assert_eq!(reopened.apps(), BTreeMap::from([("a".to_owned(), app(2))]));
    }

    #[test]
    fn a_change_that_cannot_be_written_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let catalogue = Catalogue::open(dir.path()).unwrap();
        dir.close().unwrap();
        assert!(catalogue.put(&AppName::new("a").unwrap(), app(1)).is_err());
        assert!(!catalogue.contains("a"));
    }

    #[test]
    fn a_damaged_catalogue_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let damages =
            ["", "{", "[]", r#"{"format":2,"apps":{}}"#, r#"{"format":1,"apps":{"..":{}}}"#];
        for text in damages {
            std::fs::write(dir.path().join(FILE_NAME), text).unwrap();
            let opened = Catalogue::open(dir.path());
            assert!(matches!(opened, Err(Error::ConfigCatalogue { .. })), "{text}");
        }
    }
}
