//! `beryl test`: runs the exported `test()` handlers of workers (docs/api/testing.md).
//!
//! This process starts others and never runs JavaScript itself, so that a test that crashes or
//! hangs ends nothing but its own process. The tests of a worker or project run in a process each,
//! with storage of their own; those of a JSON document of services share one, as the platform's
//! own test command has it.

mod document;
mod parent;
mod process;
mod report;
mod services;
mod stand_in;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use network::Egress;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use worker::configured::Configured;
use worker::limits::Limits;

use self::process::{Task, Tested};
use crate::cli::{RunArgs, TestArgs};
use crate::config::{self, Error, Mode};
use crate::serve::{Failure, script};
use crate::{linked, logs};

/// What the command line asks for.
pub struct Settings {
    target: Target,
    /// `service` or `service:export`; all cases if there is none.
    filter: Option<String>,
    timeout: Duration,
    /// Where scratch directories are made.
    scratch: PathBuf,
    report: Option<PathBuf>,
    junit: Option<PathBuf>,
    jobs: usize,
}

/// What is tested.
enum Target {
    /// A document of services, with the date of workers that name none.
    Document(PathBuf, String),
    /// A script or projects, and what they may fetch from.
    Workers(Box<Mode>, Egress),
}

/// What a process that runs cases is told in its environment.
#[derive(Serialize, Deserialize)]
struct Order {
    task: Task,
    folder: PathBuf,
}

/// Runs tests, or those that the process which started this one asks for.
pub fn main(args: TestArgs) -> ExitCode {
    let settings = match Settings::new(args) {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("beryl: {error}");
            return ExitCode::from(2);
        }
    };
    let order = std::env::var(ORDER).ok().and_then(|text| serde_json::from_str(&text).ok());
    let outcome = match order {
        Some(Order { task, folder }) => {
            logs::start_for_tests();
            parent::die_with_parent();
            let tested = settings.target.open(&folder);
            tested
                .and_then(|tested| process::run(tested, task, &folder))
                .map(|()| ExitCode::SUCCESS)
        }
        None => parent::run(&settings),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("beryl: {error}");
        ExitCode::FAILURE
    })
}

impl Settings {
    fn new(args: TestArgs) -> Result<Settings, Error> {
        let flag = |flag, value: &str, problem: &'static str| Error::ConfigFlag {
            flag,
            value: value.to_owned(),
            problem: problem.into(),
        };
        let timeout = duration(&args.timeout).ok_or_else(|| {
            flag("--timeout", &args.timeout, "is no time; write a number with ms, s or m")
        })?;
        let jobs = match args.jobs {
            Some(0) => return Err(flag("--jobs", "0", "must be at least 1")),
            Some(jobs) => jobs,
            None => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let scratch = args.tmp.clone().unwrap_or_else(std::env::temp_dir);
        let target = match &args.files[..] {
            [file] if is_document(file) => {
                let date = args.compatibility_date.as_deref().unwrap_or(NEWEST_DATE);
                Target::Document(file.clone(), date.to_owned())
            }
            _ => {
                let private = args.allow_private_network;
                let egress = if private { Egress::Everywhere } else { Egress::Public };
                Target::Workers(Box::new(config::run(&run_args(&args))?), egress)
            }
        };
        let TestArgs { filter, report, junit, .. } = args;
        Ok(Settings { target, filter, timeout, scratch, report, junit, jobs })
    }
}

impl Target {
    /// Reads everything; `folder` is where data will lie.
    fn open(&self, folder: &Path) -> Result<Tested, Failure> {
        let cpu_ms = Limits::default().cpu_ms;
        match self {
            Target::Document(path, date) => {
                let services = services::read(path, date)?;
                Ok(Tested {
                    workers: services.workers,
                    names: services.names,
                    unknown_flags: services.unknown_flags,
                    egress: services.reaches_private.then_some(Egress::Everywhere),
                    cpu_ms,
                })
            }
            Target::Workers(mode, egress) => {
                let (workers, names) = match &**mode {
                    Mode::Run(run) => {
                        let stem = Path::new(&run.main).file_stem().unwrap_or_default();
                        let name = stem.to_string_lossy().into_owned();
                        (Configured::single(script(run)?), vec![name])
                    }
                    Mode::Configured(projects) => {
                        let names = projects.iter().map(|project| project.name.clone());
                        (linked::link(projects, folder)?, names.collect())
                    }
                    Mode::Serve(_) => return Err("apps have no tests of their own".into()),
                };
                let egress = Some(*egress);
                Ok(Tested { workers, names, unknown_flags: Vec::new(), egress, cpu_ms })
            }
        }
    }
}

/// True for a JSON file that lists services with their kinds, which no wrangler.json does.
fn is_document(path: &Path) -> bool {
    if path.extension().is_none_or(|ending| ending != "json") {
        return false;
    }
    let document = fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let services = document.as_ref().and_then(|it: &Value| it["services"].as_array());
    services.is_some_and(|all| all.iter().all(|service| service["kind"].is_string()))
}

/// The same worker as `beryl run` would run.
fn run_args(args: &TestArgs) -> RunArgs {
    RunArgs {
        files: args.files.clone(),
        env: args.env.clone(),
        bundle: args.bundle.clone(),
        vars: args.vars.clone(),
        compatibility_date: args.compatibility_date.clone(),
        compatibility_flags: args.compatibility_flags.clone(),
        ..RunArgs::default()
    }
}

/// A time such as `500ms`, `10s` or `2m`; a number alone counts seconds.
fn duration(text: &str) -> Option<Duration> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("", 1_000)];
    let (number, unit_ms) =
        units.iter().find_map(|(unit, ms)| Some((text.strip_suffix(unit)?, *ms)))?;
    let ms = number.parse::<u64>().ok()?.checked_mul(unit_ms)?;
    (1..=DURATION_MS_MAX).contains(&ms).then(|| Duration::from_millis(ms))
}

/// Where a process finds its order.
const ORDER: &str = "BERYL_TEST_ORDER";
/// The date of workers in a document that name none: everything that has a date is on.
const NEWEST_DATE: &str = "2999-12-31";
const DURATION_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let ms = |text| duration(text).map(|it| it.as_millis());
        assert_eq!(ms("500ms"), Some(500));
        assert_eq!(ms("10s"), Some(10_000));
        assert_eq!(ms("2m"), Some(120_000));
        assert_eq!(ms("3"), Some(3_000));
        for text in ["", "s", "-1s", "0", "1h", "99999999999999999999"] {
            assert_eq!(ms(text), None, "{text}");
        }
    }

    #[test]
    fn a_document_of_services_is_no_wrangler_configuration() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        let check = |text: &str, expect| {
            fs::write(&path, text).unwrap();
            assert_eq!(is_document(&path), expect, "{text}");
        };
        check(r#"{"services": [{"name": "a", "kind": "worker"}]}"#, true);
        check(r#"{"name": "a", "services": [{"binding": "B", "service": "b"}]}"#, false);
        check(r#"{"name": "a"}"#, false);
    }
}
