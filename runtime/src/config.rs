//! What the command line means: checked values, or an error that says what, where and how to
//! mend it. This is where the file system is asked; sockets and locks come later.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;

use network::Egress;
use storage::HistorySettings;
use worker::code::Module;
use worker::compatibility::{self, Compatibility, Experimental};
use worker::cron::CronTrigger;
use worker::limits::Limits;

use crate::archive::Place;
use crate::cli::{Command, LogFormat, RunArgs, ServeArgs, ServerArgs};
use crate::linked;
use crate::modules;
use crate::sandbox::Sandbox;
use crate::wrangler::{self, Choice, Project};

/// What the process is to do.
#[derive(Debug)]
pub struct Config {
    /// Where data lies; the directory exists.
    pub data_dir: PathBuf,
    /// Where the public listener listens; port 0 means any.
    pub listen: SocketAddr,
    /// How many threads run JavaScript.
    pub shards: NonZeroUsize,
    /// The limits of every worker.
    pub limits: Limits,
    /// What workers may fetch from.
    pub egress: Egress,
    /// Where history is kept besides.
    pub archive: Option<Place>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Where tests see objects and move the clock; port 0 means any.
    pub debug_port: Option<u16>,
    /// What is served.
    pub mode: Mode,
}

/// What is served.
#[derive(Debug)]
pub enum Mode {
    /// Apps that come over the admin API.
    Serve(Serve),
    /// One script.
    Run(Run),
    /// Workers with configuration files; the first is served.
    Configured(Vec<Project>),
}

/// The settings of `beryl serve`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serve {
    /// Where the admin listener listens; port 0 means any.
    pub admin: SocketAddr,
    /// Who may use it.
    pub auth: Auth,
    /// Apps are reached as `<app>.<base_domain>`; lower case, no dot at either end.
    pub base_domain: String,
    /// What the worker process is forbidden.
    pub sandbox: Sandbox,
}

/// Who may use the admin API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Who has the token.
    Token,
    /// Everybody who reaches the listener, which is on loopback.
    Open,
}

/// The settings of `beryl run`.
#[derive(Debug)]
pub struct Run {
    /// The name of the main module: the file's path below the folder that holds all modules.
    pub main: String,
    /// The script and the files it imports, by their names.
    pub modules: BTreeMap<String, Module>,
    /// The variables of the worker's `env`.
    pub vars: BTreeMap<String, String>,
    /// When `scheduled()` runs.
    pub crons: Vec<CronTrigger>,
    /// The behaviours it asks for.
    pub compatibility: Compatibility,
}

/// A command line that cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A flag's value breaks its rule.
    #[error("{flag} {value:?}: {problem}")]
    ConfigFlag {
        /// The flag as typed.
        flag: &'static str,
        /// Its value.
        value: String,
        /// What is wrong and what would be right.
        problem: Cow<'static, str>,
    },
    /// A configuration file says something that cannot be done.
    #[error("{}:{line}: {problem}", path.display())]
    AppConfiguration {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong and how to mend it.
        problem: String,
    },
    /// A path cannot be used.
    #[error("{what} {}: {cause}; {mend}", path.display())]
    ConfigPath {
        /// What the path is for.
        what: &'static str,
        /// The path as typed.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
        /// What to do.
        mend: &'static str,
    },
    /// A compatibility date or flag is none.
    #[error("--compatibility-date, --compatibility-flag: {problem}")]
    ConfigCompatibility {
        /// What is wrong.
        problem: String,
    },
    /// A module's source cannot be used.
    #[error("script {}: {message}\n{frame}", path.display())]
    AppCode {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
        /// The line, with a caret under the place.
        frame: String,
    },
}

impl Config {
    /// Checks a command line, reads the script and makes the data directory.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn new(command: Command) -> Result<Config, Error> {
        match command {
            Command::Serve(args) => {
                let (data, common) = (args.data.clone(), &args.common);
                let mode = Mode::Serve(serve(&args)?);
                Config::with(data, common, Egress::Public, mode)
            }
            Command::Run(args) => {
                let mode = run(&args)?;
                let private = args.allow_private_network;
                let egress = if private { Egress::Everywhere } else { Egress::Public };
                let mut config = Config::with(args.data, &args.common, egress, mode)?;
                config.limits.check_loads = args.check_loads;
                Ok(config)
            }
            Command::Test(args) => {
                let typed = args.filter.unwrap_or_default();
                flag("test", &typed, "serves nothing")
            }
        }
    }

    fn with(
        data_dir: PathBuf,
        common: &ServerArgs,
        egress: Egress,
        mode: Mode,
    ) -> Result<Config, Error> {
        let listen = SocketAddr::new(host(&common.host)?, common.port);
        let shards = shards(common.shards)?;
        let mut limits = Limits::default();
        if let Some(cpu_ms) = common.cpu_ms {
            if cpu_ms == 0 {
                return flag("--cpu-ms", "0", "must be at least 1 millisecond");
            }
            limits.cpu_ms = cpu_ms;
        }
        if let Some(bytes) = common.storage_bytes {
            if bytes < STORAGE_BYTES_MIN {
                let problem = "is less than an app can begin with; give at least 65536";
                return flag("--storage-bytes", &bytes.to_string(), problem);
            }
            limits.storage.database_bytes_max = bytes;
        }
        let bytes_max = HISTORY_BYTES_MAX.min(limits.storage.database_bytes_max / 4);
        let history =
            HistorySettings { keep_ms: HISTORY_MS, bytes_max, now_ms: crate::serve::now_ms };
        limits.storage.history = Some(history).filter(|_| !common.no_history);
        if let (Mode::Configured(projects), None) = (&mode, common.cpu_ms) {
            let configured = projects.iter().filter_map(|project| project.cpu_ms).min();
            limits.cpu_ms = configured.unwrap_or(limits.cpu_ms);
        }
        if let Some(block_ms) = common.block_ms {
            if block_ms == 0 {
                return flag("--block-ms", "0", "must be at least 1 millisecond");
            }
            limits.section_ms = block_ms;
        }
        limit_loads(common, shards, &mut limits)?;
        make_writable(&data_dir)?;
        let archive = match common.archive.as_deref().map(|typed| (typed, Place::parse(typed))) {
            Some((typed, Err(problem))) => return flag("--archive", typed, problem),
            Some((_, Ok(place))) => Some(place),
            None => None,
        };
        let (log_format, debug_port) = (common.log_format, common.debug_port);
        Ok(Config {
            data_dir,
            listen,
            shards,
            limits,
            egress,
            archive,
            log_format,
            debug_port,
            mode,
        })
    }
}

/// How many isolates may live, and how long one more may be waited for.
fn limit_loads(
    common: &ServerArgs,
    shards: NonZeroUsize,
    limits: &mut Limits,
) -> Result<(), Error> {
    if let Some(isolates) = common.isolates {
        if isolates < ISOLATES_PER_SHARD_MIN * shards.get() {
            let problem = "are too few: every thread needs two, for a worker and one it loads";
            return flag("--isolates", &isolates.to_string(), problem);
        }
        limits.isolates_max = isolates;
    }
    limits.load_wait_ms = common.load_wait_ms.unwrap_or(limits.load_wait_ms);
    Ok(())
}

fn serve(args: &ServeArgs) -> Result<Serve, Error> {
    let host = host(&args.common.host)?;
    if args.no_auth && !host.is_loopback() {
        let problem = "an admin API without token is for loopback only; drop --no-auth or use \
                       --host 127.0.0.1";
        return flag("--no-auth with --host", &args.common.host, problem);
    }
    if args.admin_port == args.common.port && args.admin_port != 0 {
        let problem = "is the public port as well; choose two different ports";
        return flag("--admin-port", &args.admin_port.to_string(), problem);
    }
    let base_domain = args.base_domain.trim_matches('.').to_ascii_lowercase();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if base_domain.len() > 180 || !base_domain.split('.').all(is_label) {
        let problem = "is no domain name; give one like apps.example.com, without port";
        return flag("--base-domain", &args.base_domain, problem);
    }
    let auth = if args.no_auth { Auth::Open } else { Auth::Token };
    let sandbox = match (args.require_sandbox, args.no_sandbox) {
        (true, _) => Sandbox::Required,
        (false, true) => Sandbox::Off,
        (false, false) => Sandbox::Possible,
    };
    Ok(Serve { admin: SocketAddr::new(host, args.admin_port), auth, base_domain, sandbox })
}

/// What `beryl run` and `beryl test` are to run.
pub fn run(args: &RunArgs) -> Result<Mode, Error> {
    let configurations: Vec<_> = args.files.iter().map(|path| wrangler::find(path)).collect();
    if let ([file], [None]) = (&args.files[..], &configurations[..]) {
        return script(args, file).map(Mode::Run);
    }
    let files = args.files.iter().zip(configurations);
    let projects = files.map(|(typed, file)| project(args, typed, file));
    let mut projects = projects.collect::<Result<Vec<_>, _>>()?;
    let (vars, crons) = (vars(&args.vars)?, crons(&args.crons)?);
    if let Some(served) = projects.first_mut() {
        // What was typed wins over the configuration.
        served.values.extend(vars.into_iter().map(|(name, value)| (name, value.into())));
        served.crons.extend(crons);
    }
    linked::check(&projects)?;
    Ok(Mode::Configured(projects))
}

fn project(args: &RunArgs, typed: &Path, file: Option<PathBuf>) -> Result<Project, Error> {
    let Some(file) = file else {
        let problem = "is no configuration; several workers need one each, a script stands alone";
        return flag("FILES", &typed.to_string_lossy(), problem);
    };
    if args.bundle.is_some() && args.files.len() > 1 {
        let problem = "is the code of one worker; give one configuration only";
        return flag("--bundle", &typed.to_string_lossy(), problem);
    }
    let choice = Choice { environment: args.env.as_deref(), bundle: args.bundle.as_deref() };
    Project::read(&file, choice)
}

fn script(args: &RunArgs, file: &Path) -> Result<Run, Error> {
    let vars = vars(&args.vars)?;
    if args.env.is_some() || args.bundle.is_some() {
        let problem = "is for workers with a configuration; give a wrangler.jsonc";
        return flag("--env or --bundle", &file.to_string_lossy(), problem);
    }
    let crons = crons(&args.crons)?;
    let (main, modules) = modules::read(file)?;
    let compatibility = compatibility(args)?;
    Ok(Run { main, modules, vars, crons, compatibility })
}

fn compatibility(args: &RunArgs) -> Result<Compatibility, Error> {
    let flags = args.compatibility_flags.as_slice();
    if args.compatibility_date.is_none() && flags.is_empty() {
        return Ok(Compatibility::newest());
    }
    let date = args.compatibility_date.clone().unwrap_or_else(compatibility::today);
    Compatibility::new(&date, flags, Experimental::Allowed)
        .map_err(|error| Error::ConfigCompatibility { problem: error.to_string() })
}

fn crons(typed: &[String]) -> Result<Vec<CronTrigger>, Error> {
    typed.iter().map(|typed| cron(typed)).collect()
}

fn cron(typed: &str) -> Result<CronTrigger, Error> {
    match CronTrigger::parse(typed) {
        Ok(cron) => Ok(cron),
        Err(_) => {
            let problem = "is no cron pattern; write five fields: minute, hour, day of month, \
                           month, day of week (1 is Sunday), for example \"*/5 * * * *\"";
            flag("--cron", typed, problem)
        }
    }
}

fn vars(typed: &[String]) -> Result<BTreeMap<String, String>, Error> {
    let mut vars = BTreeMap::new();
    for var in typed {
        let Some((key, value)) = var.split_once('=') else {
            return flag("--var", var, "has no \"=\"; write KEY=VALUE");
        };
        let starts_well = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !starts_well || !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return flag("--var", var, "its name must be letters, digits and \"_\"");
        }
        if vars.insert(key.to_owned(), value.to_owned()).is_some() {
            return flag("--var", var, "has a name that was given before; give it once");
        }
    }
    Ok(vars)
}

fn host(typed: &str) -> Result<IpAddr, Error> {
    if typed.eq_ignore_ascii_case("localhost") {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let address = typed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(typed);
    match address.parse() {
        Ok(address) => Ok(address),
        Err(_) => {
            flag("--host", typed, "is no IP address; give one like 127.0.0.1, 0.0.0.0 or ::1")
        }
    }
}

fn shards(typed: Option<usize>) -> Result<NonZeroUsize, Error> {
    let Some(typed) = typed else {
        return Ok(thread::available_parallelism().unwrap_or(NonZeroUsize::MIN));
    };
    match NonZeroUsize::new(typed).filter(|shards| shards.get() <= SHARDS_MAX) {
        Some(shards) => Ok(shards),
        None => flag("--shards", &typed.to_string(), "must be 1 to 512; one per core is best"),
    }
}

/// Makes the directory if needed and tries to write in it, so that a wrong path fails now and
/// not at the first request.
fn make_writable(dir: &Path) -> Result<(), Error> {
    let probe = dir.join(".beryl-probe");
    std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::write(&probe, b""))
        .and_then(|()| std::fs::remove_file(&probe))
        .map_err(|cause| Error::ConfigPath {
            what: "data directory",
            path: dir.to_owned(),
            cause,
            mend: "give a directory that this user may write to with --data",
        })
}

fn flag<T>(
    flag: &'static str,
    value: &str,
    problem: impl Into<Cow<'static, str>>,
) -> Result<T, Error> {
    Err(Error::ConfigFlag { flag, value: value.to_owned(), problem: problem.into() })
}

/// Thirty days, as on the platform (NUM-33).
const HISTORY_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

/// Bytes of the history of one database: a database of half of that can be recovered.
const HISTORY_BYTES_MAX: u64 = 256 << 20;

/// Sixteen pages: a few tables.
const STORAGE_BYTES_MIN: u64 = 65_536;

/// More threads than any machine we know has cores for.
const SHARDS_MAX: usize = 512;
/// A worker, and one that it loads.
const ISOLATES_PER_SHARD_MIN: usize = 2;

#[cfg(test)]
mod tests;
