//! What the system forbids the worker process of `beryl serve`, in layers that hold if V8 does not
//! (`spec/security.md` §5.1): no new privileges, no capabilities, no core dumps, no files but the
//! data directory, no programs, no new sockets.
//!
//! Every layer is tried, and then tested from inside; where a layer cannot be had, for instance in
//! a container that forbids it, the others hold. Done by the main thread before any other exists,
//! since most layers belong to a thread and what it starts; only the filter of system calls comes
//! last, for all threads.

mod calls;

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus,
};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, geteuid, set_dumpable_behavior, setrlimit,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, no_new_privs,
    set_capabilities, set_no_new_privs,
};

use crate::archive::Place;

/// How much of a sandbox the worker process must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sandbox {
    /// The layers that can be had.
    #[default]
    Possible,
    /// All layers, or no start.
    Required,
    /// None, for debuggers and profilers.
    Off,
}

/// The layers that are active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Layers {
    privileges: bool,
    capabilities: bool,
    dumps: bool,
    files: bool,
    calls: bool,
}

/// A layer that was required and is missing.
#[derive(Debug, thiserror::Error)]
#[error("--require-sandbox: missing {0}; start without it, or where the system has them")]
pub struct Missing(String);

impl Layers {
    /// All but the filter of system calls, around `data` and an archive. Before any other thread
    /// exists.
    #[must_use]
    pub fn enter(data: &Path, archive: Option<&Place>) -> Layers {
        let noted = |layer: &str, result: Result<(), String>| {
            if let Err(error) = &result {
                tracing::warn!(layer, error, "a layer of the sandbox is missing");
            }
            result.is_ok()
        };
        Layers {
            dumps: noted("core dumps", forbid_dumps().map_err(|e| e.to_string())),
            privileges: noted("no_new_privs", forbid_privileges().map_err(|e| e.to_string())),
            files: noted("landlock", confine_files(data, archive)),
            capabilities: noted("capabilities", drop_capabilities(data).map_err(|e| e.to_string())),
            calls: false,
        }
    }

    /// The filter of system calls, once the process has what it needs; then tests all layers from
    /// inside.
    #[must_use]
    pub fn close(mut self, archive: Option<&Place>) -> Layers {
        self.calls = match calls::filter(archive.is_some_and(|place| place.folder().is_none())) {
            Ok(()) => calls::is_filtered(),
            Err(error) => {
                tracing::warn!(layer = "seccomp", error, "a layer of the sandbox is missing");
                false
            }
        };
        self.privileges &= no_new_privs().unwrap_or(false);
        self.files &= File::open(FOREIGN_FILE).is_err();
        self
    }

    /// Refuses to go on without all layers.
    ///
    /// # Errors
    /// [`Missing`] with their names.
    pub fn require(self) -> Result<(), Missing> {
        let missing: Vec<&str> =
            self.all().into_iter().filter(|(_, has)| !has).map(|(name, _)| name).collect();
        if missing.is_empty() { Ok(()) } else { Err(Missing(missing.join(", "))) }
    }

    fn all(self) -> [(&'static str, bool); 5] {
        [
            ("no_new_privs", self.privileges),
            ("capabilities", self.capabilities),
            ("core dumps", self.dumps),
            ("landlock", self.files),
            ("seccomp", self.calls),
        ]
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let states = self
            .all()
            .map(|(name, has)| format!("{name} {}", if has { "active" } else { "missing" }));
        f.write_str(&states.join(", "))
    }
}

fn forbid_dumps() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

fn forbid_privileges() -> io::Result<()> {
    Ok(set_no_new_privs(true)?)
}

/// The one that lets root write into the folders of others stays where the data directory is such
/// a folder.
fn drop_capabilities(data: &Path) -> io::Result<()> {
    let is_own = data.metadata()?.uid() == geteuid().as_raw();
    let before = capabilities(None)?.effective;
    let kept = if is_own { CapabilitySet::empty() } else { CapabilitySet::DAC_OVERRIDE & before };
    clear_ambient_capability_set()?;
    let sets =
        CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    Ok(set_capabilities(None, sets)?)
}

fn confine_files(data: &Path, archive: Option<&Place>) -> Result<(), String> {
    let abi = ABI::V5;
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))
        .and_then(|ruleset| ruleset.create())
        .map_err(|error| error.to_string())?;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let own = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/proc/self/exe"));
    let is_bucket = archive.is_some_and(|place| place.folder().is_none());
    let names = NAMES.iter().filter(|_| is_bucket).map(Path::new);
    let readable = READABLE.iter().map(Path::new).chain([own.as_path()]).chain(names);
    let readable = readable.filter_map(|path| {
        let fd = PathFd::new(path).ok()?;
        let access = if path.is_dir() { read } else { AccessFs::ReadFile.into() };
        Some(PathBeneath::new(fd, access))
    });
    let everything = AccessFs::from_all(abi) & !AccessFs::Execute;
    let folders = [Some(data), archive.and_then(Place::folder)].into_iter().flatten();
    let writable = folders.map(|folder| Ok(PathBeneath::new(PathFd::new(folder)?, everything)));
    let writable: Vec<_> = writable
        .collect::<Result<_, landlock::PathFdError>>()
        .map_err(|error| error.to_string())?;
    let status = ruleset
        .add_rules(readable.chain(writable).map(Ok::<_, landlock::RulesetError>))
        .and_then(|ruleset| ruleset.restrict_self())
        .map_err(|error| error.to_string())?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err("this kernel has no landlock".into()),
        RulesetStatus::PartiallyEnforced | RulesetStatus::FullyEnforced => Ok(()),
    }
}

/// Time zones, the number of processors, randomness, and what the process says about itself.
const READABLE: &[&str] = &[
    "/dev/null",
    "/dev/urandom",
    "/etc/localtime",
    "/proc/self",
    "/proc/meminfo",
    "/proc/sys/kernel/random/boot_id",
    "/proc/sys/vm",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
    "/usr/share/zoneinfo",
];

/// How names are resolved, for an archive in a bucket.
const NAMES: &[&str] =
    &["/etc/gai.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf", "/etc/host.conf"];

/// A file that everybody may read but the sandbox.
const FOREIGN_FILE: &str = "/etc/passwd";
