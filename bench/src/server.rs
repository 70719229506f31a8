//! The runtimes under test as processes: where they are, how they start, what they occupy.
//!
//! A process gets its own group, so that children of it are counted and ended with it.

use std::fmt;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::machine;

/// A runtime that serves worker files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// This project's `beryl run`.
    Beryl,
    /// Cloudflare's open-source runtime.
    Workerd,
    /// `deno serve`, for workers without state.
    Deno,
    /// better-sqlite3 in Node.js, for SQL.
    Node,
}

impl Side {
    /// In the order of a round.
    pub const ALL: [Side; 4] = [Side::Beryl, Side::Workerd, Side::Deno, Side::Node];

    /// The side of that name.
    pub fn named(name: &str) -> Option<Side> {
        Side::ALL.into_iter().find(|side| side.name() == name)
    }

    /// As typed and printed.
    pub fn name(self) -> &'static str {
        match self {
            Side::Beryl => "beryl",
            Side::Workerd => "workerd",
            Side::Deno => "deno",
            Side::Node => "node",
        }
    }

    /// The executable.
    pub fn binary(self) -> PathBuf {
        match self {
            Side::Beryl => {
                let ours = std::env::current_exe().unwrap_or_default();
                ours.with_file_name("beryl")
            }
            Side::Workerd => {
                let package = format!("workerd-linux-{}", machine::workerd_arch());
                root().join("bench/node_modules/@cloudflare").join(package).join("bin/workerd")
            }
            Side::Deno => {
                let package = format!("linux-{}-glibc", machine::deno_arch());
                root().join("bench/node_modules/@deno").join(package).join("deno")
            }
            Side::Node => root().join(BETTER_SQLITE).join("node_modules/better-sqlite3").join(NODE),
        }
    }

    /// Says how to get the executable if it is missing.
    pub fn check_installed(self) -> Result<(), String> {
        let binary = self.binary();
        if binary.is_file() {
            return Ok(());
        }
        let mend = match self {
            Side::Beryl => "build it: cargo build --release --package runtime",
            Side::Workerd | Side::Deno => "install it: cargo run -q -p xtask -- node",
            Side::Node => {
                "compile it: cd bench/better-sqlite3 && npm ci --ignore-scripts && npm run compile"
            }
        };
        Err(format!("{self} is missing at {}; {mend}, or use --only", binary.display()))
    }

    fn command(self, app: &App, port: u16, data: &Path) -> Vec<String> {
        let worker = root().join(app.worker).display().to_string();
        let config = app.workerd_config().display().to_string();
        let (binary, data) = (self.binary().display().to_string(), data.display());
        let words = match self {
            Side::Beryl => vec![
                "run".into(),
                worker,
                "--data".into(),
                data.to_string(),
                "--port".into(),
                port.to_string(),
                // The proxy fetches from this machine.
                "--allow-private-network".into(),
            ],
            Side::Workerd => {
                let mut words = vec!["serve".into(), "--experimental".into(), config];
                words.push(format!("--socket-addr=http=127.0.0.1:{port}"));
                if app.stateful {
                    words.push(format!("--directory-path=data={data}"));
                }
                words
            }
            Side::Node => {
                let script = root().join(BETTER_SQLITE).join("server.js").display().to_string();
                let data = format!("--data={data}");
                return vec!["node".into(), script, data, format!("--port={port}")];
            }
            Side::Deno => vec![
                "serve".into(),
                "--host".into(),
                "127.0.0.1".into(),
                "--port".into(),
                port.to_string(),
                worker,
            ],
        };
        [binary].into_iter().chain(words).collect()
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A worker file, with workerd's configuration beside it.
pub struct App {
    /// The file, relative to the root.
    pub worker: &'static str,
    /// True if it has Durable Objects.
    pub stateful: bool,
}

impl App {
    /// What workerd runs: the same file, with its bindings.
    fn workerd_config(&self) -> PathBuf {
        match self.worker.strip_suffix("/worker.js") {
            Some(folder) => root().join(folder).join("workerd.capnp"),
            None => root().join(self.worker).with_extension("capnp"),
        }
    }
}

/// A fresh process that accepts connections; it ends and its data goes when this is dropped.
pub struct Server {
    child: Child,
    folder: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
    /// Time from the start of the process to the first accepted connection.
    pub accepted_after: Duration,
}

impl Server {
    /// Starts `side` with `app` on an empty data folder and waits until it accepts.
    pub fn start(side: Side, app: &App) -> Result<Server, String> {
        Server::launch(side, app, |words| machine::pinned(machine::SERVER_CPU, words))
    }

    /// As [`Server::start`], without a core of its own.
    pub fn start_on_all_cores(side: Side, app: &App) -> Result<Server, String> {
        Server::launch(side, app, |words| {
            let mut command = Command::new(&words[0]);
            command.args(&words[1..]);
            command
        })
    }

    fn launch(
        side: Side,
        app: &App,
        command_of: impl Fn(&[String]) -> Command,
    ) -> Result<Server, String> {
        let (folder, address) = (empty_folder(side)?, free_address()?);
        let log = File::create(folder.join("log")).map_err(|e| format!("log file: {e}"))?;
        let errors = log.try_clone().map_err(|e| format!("log file: {e}"))?;
        let command = side.command(app, address.port(), &folder.join("data"));
        let started = Instant::now();
        let child = command_of(&command)
            .env("DENO_NO_UPDATE_CHECK", "1")
            .env("DENO_DIR", folder.join("deno"))
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(|e| format!("cannot start {}: {e}", command.join(" ")))?;
        let mut server = Server { child, folder, address, accepted_after: Duration::ZERO };
        server.wait_until_it_accepts(started)?;
        Ok(server)
    }

    fn wait_until_it_accepts(&mut self, started: Instant) -> Result<(), String> {
        while TcpStream::connect(self.address).is_err() {
            let exited = self.child.try_wait().map_err(|e| format!("cannot wait: {e}"))?;
            if exited.is_some() || started.elapsed() > START_TIME_MAX {
                return Err(format!("does not accept connections ({exited:?}):\n{}", self.log()));
            }
            thread::sleep(Duration::from_micros(500));
        }
        self.accepted_after = started.elapsed();
        Ok(())
    }

    /// What the process printed so far.
    pub fn log(&self) -> String {
        let log = fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Resident memory of the process and its children, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        machine::processes_of_group(self.child.id()).map(machine::resident_bytes).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ending a process that has ended already is no failure, and the data is scratch.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The folder of the workspace.
pub fn root() -> PathBuf {
    let bench = Path::new(env!("CARGO_MANIFEST_DIR"));
    bench.parent().expect("the bench lies in the workspace").to_path_buf()
}

fn empty_folder(side: Side) -> Result<PathBuf, String> {
    let folder = root().join("bench/out").join(format!("run-{}-{side}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("data")).map_err(|e| format!("{}: {e}", folder.display()))?;
    Ok(folder)
}

fn free_address() -> Result<SocketAddr, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    listener.and_then(|listener| listener.local_addr()).map_err(|e| format!("no free port: {e}"))
}

/// The server with better-sqlite3, and what the package compiles to.
const BETTER_SQLITE: &str = "bench/better-sqlite3";
const NODE: &str = "build/Release/better_sqlite3.node";
const START_TIME_MAX: Duration = Duration::from_secs(30);
