//! Which unique key a class of Durable Objects has: migrations, and the record of those that
//! were applied, `<data>/namespaces.json`.
//!
//! The unique key is `<worker>-<class>`, as `wrangler dev` has it, and stays when the class is
//! renamed: it names the folder of the data, and ids are made of it. What was applied is known
//! by its tag, so that the list of migrations may grow and its old entries are never applied
//! twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Everything that is known about the namespaces in a data directory, by worker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record(pub BTreeMap<String, Classes>);

/// The classes of one worker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classes {
    /// The last migration that was applied.
    pub tag: Option<String>,
    /// Unique keys by class.
    pub keys: BTreeMap<String, String>,
}

/// One entry of `migrations`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migration {
    /// Its name; unique in the list.
    pub tag: String,
    /// Classes that begin to exist.
    pub created: Vec<String>,
    /// Classes that get another name, old and new.
    pub renamed: Vec<(String, String)>,
    /// Classes whose data is erased.
    pub deleted: Vec<String>,
}

/// What migrations come to.
#[derive(Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The classes afterwards, to be recorded.
    pub classes: Classes,
    /// Unique keys of the classes that the configuration has, by class.
    pub keys: BTreeMap<String, String>,
    /// Unique keys whose data must be erased before that is recorded.
    pub erased: Vec<String>,
}

impl Classes {
    /// Applies the migrations that were not applied yet, and lets the `bound` classes exist that
    /// no migration names. `has_data` tells whether data lies under a unique key.
    ///
    /// # Errors
    /// A migration that cannot be applied, or a record that does not belong to the list.
    pub fn migrate(
        mut self,
        worker: &str,
        migrations: &[Migration],
        bound: &[String],
        has_data: impl Fn(&str) -> bool,
    ) -> Result<Migrated, String> {
        let mut erased = Vec::new();
        let applied = match &self.tag {
            None => 0,
            Some(tag) => match migrations.iter().position(|known| known.tag == *tag) {
                Some(place) => place + 1,
                None => {
                    return Err(format!(
                        "migrations: the data was last used with migration {tag:?}, which the \
                         list no longer has; put it back, or use another directory with --data"
                    ));
                }
            },
        };
        for migration in &migrations[applied..] {
            for class in &migration.created {
                self.create(worker, class);
            }
            for (from, to) in &migration.renamed {
                self.rename(worker, (from, to), &has_data).map_err(|problem| {
                    format!("migrations: {:?} renames {from} to {to}, {problem}", migration.tag)
                })?;
            }
            for class in &migration.deleted {
                let Some(key) = self.keys.remove(class) else {
                    return Err(format!(
                        "migrations: {:?} deletes {class}, but there is no such class",
                        migration.tag
                    ));
                };
                erased.push(key);
            }
            self.tag = Some(migration.tag.clone());
        }
        // The record may know more: classes of a start that failed, or of a longer list.
        let living = living(migrations, bound);
        for class in &living {
            self.create(worker, class);
        }
        let keys = self.keys.iter().filter(|(class, _)| living.contains(*class));
        let keys = keys.map(|(class, key)| (class.clone(), key.clone())).collect();
        // A class that was deleted and made again begins empty.
        erased.retain(|key| has_data(key));
        Ok(Migrated { classes: self, keys, erased })
    }

    fn create(&mut self, worker: &str, class: &str) {
        if self.keys.contains_key(class) {
            return;
        }
        let key = self.free_key(worker, class);
        self.keys.insert(class.into(), key);
    }

    fn rename(
        &mut self,
        worker: &str,
        (from, to): (&str, &str),
        has_data: impl Fn(&str) -> bool,
    ) -> Result<(), &'static str> {
        if self.keys.contains_key(to) {
            return Err("but that class exists");
        }
        let key = self.keys.remove(from).ok_or("but there is no such class")?;
        // A namespace without data takes the key that it would have had with its new name.
        let key = if has_data(&key) { key } else { self.free_key(worker, to) };
        self.keys.insert(to.into(), key);
        Ok(())
    }

    /// The key of a class; a renamed class may still have the one that the name would give.
    fn free_key(&self, worker: &str, class: &str) -> String {
        let plain = format!("{worker}-{class}");
        let numbered = (2..).map(|n| format!("{plain}.{n}"));
        let is_free = |key: &String| !self.keys.values().any(|taken| taken == key);
        std::iter::once(plain.clone()).chain(numbered).find(is_free).unwrap_or(plain)
    }
}

/// The classes that a configuration has: bound ones, and what the whole list comes to.
fn living(migrations: &[Migration], bound: &[String]) -> BTreeSet<String> {
    let mut living = BTreeSet::new();
    for migration in migrations {
        living.extend(migration.created.iter().cloned());
        for (from, to) in &migration.renamed {
            living.remove(from);
            living.insert(to.clone());
        }
        for class in &migration.deleted {
            living.remove(class);
        }
    }
    living.extend(bound.iter().cloned());
    living
}

impl Record {
    /// Reads the record of a data directory; one without is empty.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(data: &Path) -> io::Result<Record> {
        match fs::read(data.join(FILE_NAME)) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Record::default()),
            Err(error) => Err(error),
        }
    }

    /// Writes the record so that a crash leaves the old or the new one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, data: &Path) -> io::Result<()> {
        let fresh = data.join(format!("{FILE_NAME}.new"));
        let mut file = fs::File::create(&fresh)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.sync_all()?;
        fs::rename(&fresh, data.join(FILE_NAME))?;
        fs::File::open(data)?.sync_all()
    }
}

/// The record's file in the data directory.
pub const FILE_NAME: &str = "namespaces.json";

#[cfg(test)]
mod tests;
