//! The two cordons of `beryl serve`, each a process: the main one, and the quarantine for apps that
//! ended a process.
//!
//! Data of a quarantined app lies in `<data>/quarantine`, a data directory of its own with its own
//! lock and its own index of alarms, so each process opens what is its own and nothing else; the
//! sandbox of the quarantine reaches that directory only. Files are moved by the keeper, while
//! neither process has them open. Every file is in one of two places at any moment, and a keeper
//! that starts brings all of them home.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use worker::actor_id::ActorId;

use crate::apps::CLASS;
use crate::config::Config;

/// Which of the two a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cordon {
    /// Has the sockets, and all apps that are not in the other one.
    Main,
    /// Has the apps that ended a process, with less of everything.
    Quarantine,
}

impl Cordon {
    /// What the process is configured with, given what the command line says.
    #[must_use]
    pub fn confine(self, mut config: Config) -> Config {
        if self == Cordon::Main {
            return config;
        }
        config.data_dir = folder(&config.data_dir);
        config.shards = std::num::NonZeroUsize::MIN;
        config.debug_port = None;
        let limits = &mut config.limits;
        limits.cpu_ms = limits.cpu_ms.min(CPU_MS);
        limits.isolates_max = limits.isolates_max.min(ISOLATES);
        limits.heap_bytes_max = limits.heap_bytes_max.min(HEAP_BYTES);
        limits.buffer_bytes_max = limits.buffer_bytes_max.min(HEAP_BYTES);
        limits.sqlite_heap_bytes_max = limits.sqlite_heap_bytes_max.min(SQLITE_BYTES);
        config
    }

    /// Takes the processors only where nobody else wants them, if it is the quarantine.
    pub fn step_back(self) {
        if self == Cordon::Quarantine
            && let Err(error) = rustix::process::nice(NICE)
        {
            tracing::warn!(%error, "the quarantine has the priority of all others");
        }
    }

    /// Its data directory, given that of the command line.
    #[must_use]
    pub fn data_dir(self, data: &Path) -> PathBuf {
        match self {
            Cordon::Main => data.into(),
            Cordon::Quarantine => folder(data),
        }
    }

    /// Its name where processes are told which they are.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Cordon::Main => "main",
            Cordon::Quarantine => "quarantine",
        }
    }

    /// The cordon of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Cordon> {
        [Cordon::Main, Cordon::Quarantine].into_iter().find(|cordon| cordon.name() == name)
    }
}

/// The data directory of the quarantine.
fn folder(data: &Path) -> PathBuf {
    data.join("quarantine")
}

/// Moves the files of an app into the quarantine.
///
/// # Errors
/// The first file that cannot be moved; the others stay where they are.
pub fn send_away(data: &Path, app: &str) -> io::Result<()> {
    move_app(data, &folder(data), app)
}

/// Moves the files of an app back.
///
/// # Errors
/// As [`send_away`].
pub fn bring_home(data: &Path, app: &str) -> io::Result<()> {
    move_app(&folder(data), data, app)
}

/// True if files of some app are in the quarantine.
#[must_use]
pub fn is_used(data: &Path) -> bool {
    fs::read_dir(objects(&folder(data))).is_ok_and(|mut files| files.next().is_some())
}

/// Moves whatever is in the quarantine back; while no process has either directory.
///
/// # Errors
/// As [`send_away`].
pub fn bring_all_home(data: &Path) -> io::Result<()> {
    move_files(&folder(data), data, |_| true)
}

fn move_app(from: &Path, to: &Path, app: &str) -> io::Result<()> {
    let prefix = format!("{}.", ActorId::from_name(CLASS, app).hex());
    move_files(from, to, |name| name.starts_with(&prefix))
}

fn move_files(from: &Path, to: &Path, which: impl Fn(&str) -> bool) -> io::Result<()> {
    let is_leaving = to.starts_with(from);
    let (source, target) = (objects(from), objects(to));
    for folder in [&source, &target] {
        fs::create_dir_all(folder)?;
    }
    // Who takes the files finds their alarms by looking into them. The index is gone before the
    // first of them is moved: one that lacks an alarm would lose it. The main cordon's may keep
    // what it says of apps that leave: it is told who is away, and to look into all databases takes
    // time.
    let indexes = if is_leaving { &[to][..] } else { &[from, to] };
    for folder in indexes {
        match fs::remove_file(folder.join(worker::alarm_index::FILE_NAME)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    for file in fs::read_dir(&source)? {
        let name = file?.file_name();
        if name.to_str().is_some_and(&which) {
            fs::rename(source.join(&name), target.join(&name))?;
        }
    }
    for folder in [&target, &source, &to.to_path_buf(), &from.to_path_buf()] {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Where the databases of supervisors and their facets lie.
fn objects(data: &Path) -> PathBuf {
    data.join("do").join(CLASS)
}

/// What the quarantine may use: a fraction of what others may.
const CPU_MS: u64 = 5_000;
const ISOLATES: usize = 200;
const HEAP_BYTES: usize = 64 << 20;
const SQLITE_BYTES: u64 = 64 << 20;

/// Half of what the system knows.
const NICE: i32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_one_app_move_and_come_back() {
        let data = tempfile::tempdir().unwrap();
        let data = data.path();
        let hex = |app| ActorId::from_name(CLASS, app).hex();
        fs::create_dir_all(objects(data)).unwrap();
        let names = |folder: &Path| {
            let files = fs::read_dir(objects(folder)).into_iter().flatten();
            let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
            names.sort();
            names
        };
        for end in ["sqlite", "sqlite-wal", "1.sqlite", "facets", "unfinished"] {
            for app in ["bad", "good"] {
                fs::write(objects(data).join(format!("{}.{end}", hex(app))), end).unwrap();
            }
        }
        fs::write(data.join("alarms"), "old").unwrap();
        let before = names(data);
        assert!(!is_used(data));
        send_away(data, "bad").unwrap();
        assert!(is_used(data) && data.join("alarms").exists());
        assert_eq!((names(data).len(), names(&folder(data)).len()), (5, 5));
        bring_home(data, "good").unwrap();
        assert_eq!(names(data).len(), 5, "it was at home");
        bring_home(data, "bad").unwrap();
        assert_eq!(names(data), before);
        assert!(!data.join("alarms").exists());
        send_away(data, "bad").unwrap();
        bring_all_home(data).unwrap();
        assert_eq!(names(data), before);
        assert!(!is_used(data));
    }

    #[test]
    fn cordons_are_known_by_their_names() {
        for cordon in [Cordon::Main, Cordon::Quarantine] {
            assert_eq!(Cordon::parse(cordon.name()), Some(cordon));
        }
        assert_eq!(Cordon::parse(""), None);
    }
}
