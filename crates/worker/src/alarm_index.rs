//! When alarms of the process are due, in one file, so that a start need not open every
//! database (AL-12).
//!
//! An alarm's own database decides; this only says when to look. A time is in the index, and on
//! disk, before an alarm that is due earlier than what the index says is committed (AL-3), so
//! that none is ever lost. Later times and deletions follow without a sync: after a crash a wake
//! may come for nothing. A file that is missing or damaged is made anew from all databases.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use storage::keyed_log::{Entries, KeyedLog, OnSynced};

use crate::actor_id::ActorId;

/// The open index.
pub struct AlarmIndex {
    log: KeyedLog,
}

/// Whose alarm it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlarmKey {
    /// The class of the root's namespace.
    pub class: Arc<str>,
    /// The bytes of the root's id.
    pub id: [u8; 32],
    /// The facet's number in the tree; 0 is the root.
    pub number: u16,
}

/// What the index says of an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// When to look, in milliseconds since 1970.
    pub time_ms: u64,
    /// Failures that count.
    pub counted: u32,
    /// The name the root's id was made from.
    pub name: Option<String>,
}

impl AlarmIndex {
    /// Opens the index of a data directory, making it from the databases where need be.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub fn open(data: &Path) -> Result<AlarmIndex, storage::Error> {
        let path = data.join(FILE_NAME);
        if let Some(log) = KeyedLog::open(&path)? {
            return Ok(AlarmIndex { log });
        }
        let entries = entries_of_databases(&data.join("do"));
        Ok(AlarmIndex { log: KeyedLog::create(&path, entries)? })
    }

    /// Calls `f` for every alarm, in no order.
    pub fn each(&self, mut f: impl FnMut(AlarmKey, Known)) {
        self.log.each(|key, value| {
            if let (Some(key), Some(known)) = (AlarmKey::decode(key), Known::decode(value)) {
                f(key, known);
            }
        });
    }

    /// What is known of an alarm.
    #[must_use]
    pub fn find(&self, key: &AlarmKey) -> Option<Known> {
        self.log.find(&key.encode(), Known::decode)?
    }

    /// Notes an alarm; reports when that is on disk.
    pub fn register(&self, key: &AlarmKey, known: &Known, on_synced: OnSynced) {
        self.log.set_durably(&key.encode(), &known.encode(), on_synced);
    }

    /// Notes an alarm that is no earlier than the index says, or that there is none.
    pub fn note(&self, key: &AlarmKey, known: Option<&Known>) {
        let value = known.map(Known::encode).unwrap_or_default();
        if let Err(error) = self.log.set(&key.encode(), &value) {
            tracing::error!(%error, "the alarm index does not follow");
        }
    }
}

impl AlarmKey {
    /// The root's id, under its name if the index knows one.
    #[must_use]
    pub fn root_id(&self, name: Option<String>) -> ActorId {
        ActorId::of_bytes(self.id).named(name)
    }

    fn encode(&self) -> Vec<u8> {
        [&self.number.to_le_bytes()[..], &self.id, self.class.as_bytes()].concat()
    }

    fn decode(bytes: &[u8]) -> Option<AlarmKey> {
        let (number, rest) = bytes.split_first_chunk()?;
        let (id, class) = rest.split_first_chunk()?;
        let class = std::str::from_utf8(class).ok()?.into();
        Some(AlarmKey { class, id: *id, number: u16::from_le_bytes(*number) })
    }
}

impl Known {
    fn encode(&self) -> Vec<u8> {
        let name = self.name.as_deref().map_or(vec![0], |name| [b"\x01", name.as_bytes()].concat());
        [&self.time_ms.to_le_bytes()[..], &self.counted.to_le_bytes(), &name].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Known> {
        let (time_ms, rest) = bytes.split_first_chunk()?;
        let (counted, rest) = rest.split_first_chunk()?;
        let (has_name, name) = rest.split_first()?;
        let name = std::str::from_utf8(name).ok()?;
        Some(Known {
            time_ms: u64::from_le_bytes(*time_ms),
            counted: u32::from_le_bytes(*counted),
            name: (*has_name == 1).then(|| name.into()),
        })
    }
}

/// Looks into every database below `folder`. One that cannot be read is logged and left out:
/// its actor looks at its alarm itself when it is opened.
fn entries_of_databases(folder: &Path) -> Entries {
    let mut entries = Entries::new();
    let mut databases = 0_usize;
    for class in files_of(folder) {
        for path in files_of(&class) {
            let Some(key) = key_of(&class, &path) else { continue };
            databases += 1;
            match storage::stored_alarm(&path) {
                Ok(None) => {}
                Ok(Some((time_ms, name))) => {
                    let known = Known { time_ms, counted: 0, name };
                    entries.insert(key.encode().into(), known.encode().into());
                }
                Err(error) => tracing::error!(%error, "an alarm may be missing from the index"),
            }
        }
    }
    if databases > 0 {
        tracing::info!(databases, alarms = entries.len(), "made the alarm index anew");
    }
    entries
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// `<class>/<64 hex>.sqlite` or `<class>/<64 hex>.<n>.sqlite`.
fn key_of(class: &Path, database: &Path) -> Option<AlarmKey> {
    let class = class.file_name()?.to_str()?;
    let stem = database.file_name()?.to_str()?.strip_suffix(".sqlite")?;
    let (hex, number) = match stem.split_once('.') {
        None => (stem, 0),
        Some((hex, number)) => (hex, number.parse().ok()?),
    };
    let id = ActorId::parse(class, hex).ok()?.bytes();
    Some(AlarmKey { class: class.into(), id, number })
}

/// The index's file in the data directory.
pub const FILE_NAME: &str = "alarms";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_come_back() {
        for name in [None, Some(String::new()), Some("näme\0".to_string())] {
            let known = Known { time_ms: 1 << 40, counted: 3, name };
            assert_eq!(Known::decode(&known.encode()), Some(known));
        }
        let key = AlarmKey { class: "Class".into(), id: [7; 32], number: 9 };
        assert_eq!(AlarmKey::decode(&key.encode()), Some(key));
    }

    #[test]
    fn file_names_tell_whose_database_it_is() {
        let id = ActorId::from_name("A", "x");
        let key = |name: &str| key_of(Path::new("do/A"), Path::new(name));
        assert_eq!(key(&format!("do/A/{}.sqlite", id.hex())).unwrap().number, 0);
        assert_eq!(key(&format!("do/A/{}.12.sqlite", id.hex())).unwrap().number, 12);
        for other in ["do/A/metadata.sqlite", "do/A/x.facets", &format!("{}.x.sqlite", id.hex())] {
            assert_eq!(key(other), None, "{other}");
        }
    }
}
