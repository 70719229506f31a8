//! A `beryl` process under test: started on free ports, watched, and ended when dropped.
//!
//! Its output is collected while it runs, so that a failing test can show it and a waiting test
//! can look for a line in it.
#![allow(dead_code, reason = "every test file uses another part of it")]

pub mod app;
pub mod bundle;
pub mod client;
pub mod socket;
pub mod upstream;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use client::{Answer, Ask};
use serde_json::{Value, json};

/// A process that serves.
pub struct Server {
    child: Child,
    output: Output,
    /// Where apps are served.
    pub port: u16,
    /// Where the admin API is served; 0 without one.
    pub admin_port: u16,
    /// Where tests see objects and move the clock; 0 without `--debug-port`.
    pub debug_port: u16,
}

/// Everything a process has written so far.
#[derive(Clone, Default)]
pub struct Output(Arc<Mutex<String>>);

/// A process that ended by itself.
pub struct Ended {
    /// Its exit code.
    pub code: Option<i32>,
    /// What it wrote.
    pub output: String,
}

impl Server {
    /// Runs one script on `shards` threads.
    pub fn run(script: &Path, data: &Path, shards: usize, more: &[&str]) -> Server {
        let mut command = beryl("run");
        command.arg(script).arg("--data").arg(data).arg("--shards").arg(shards.to_string());
        Server::start(command.args(["--port", "0"]).args(more))
    }

    /// Serves apps that are deployed over the admin API, without a token.
    pub fn serve(data: &Path, more: &[&str]) -> Server {
        Server::start(serve(data).arg("--no-auth").args(more))
    }

    /// Starts `command` and waits until it serves.
    pub fn start(command: &mut Command) -> Server {
        let output = Output::default();
        let mut child = spawn(command, &output);
        let has_admin = command.get_args().any(|arg| arg == "serve");
        let line = if has_admin { "admin API on http://" } else { SERVING };
        let said = |text: &str| port_after(text, line);
        let admin_port = wait_for("the server to serve", || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "the server ended with {ended:?}:\n{}", output.text());
            said(&output.text())
        });
        let port = port_after(&output.text(), SERVING).unwrap();
        let debug_port = port_after(&output.text(), "debug on http://").unwrap_or(0);
        Server { child, output, port, admin_port, debug_port }
    }

    /// Sends one request to the apps.
    pub fn ask(&self, ask: &Ask) -> Answer {
        self.try_ask(ask).unwrap_or_else(|error| panic!("{ask:?}: {error}\n{}", self.output()))
    }

    /// Sends one request that may fail, for instance because the server is about to be killed.
    pub fn try_ask(&self, ask: &Ask) -> std::io::Result<Answer> {
        client::send(self.port, ask)
    }

    /// Sends one request to the admin API.
    pub fn admin(&self, ask: &Ask) -> Answer {
        client::send(self.admin_port, ask)
            .unwrap_or_else(|error| panic!("{ask:?}: {error}\n{}", self.output()))
    }

    /// Moves the clock forward by seconds, each of which is seen.
    pub fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            self.advance(1000);
        }
    }

    /// Moves the clock forward.
    pub fn advance(&self, ms: u64) {
        let moved = client::send(self.debug_port, &Ask::new("POST", &format!("/advance/{ms}")));
        assert_eq!(moved.unwrap().status, 200, "{}", self.output());
    }

    /// What is in memory.
    pub fn objects(&self) -> Value {
        let answer = client::send(self.debug_port, &Ask::get("/objects")).unwrap();
        serde_json::from_str(&answer.text()).unwrap()
    }

    /// The text that an app answers a path with; the status must be 200.
    pub fn text(&self, app: &str, path: &str) -> String {
        let answer = self.ask(&Ask::get(path).host(&format!("{app}.localhost")));
        assert_eq!(answer.status, 200, "{path} of {app}: {}\n{}", answer.text(), self.output());
        answer.text()
    }

    /// Deploys an app of one module.
    pub fn deploy(&self, app: &str, source: &str) -> Answer {
        let body = json!({ "main": "app.js", "modules": { "app.js": source } });
        self.deploy_json(app, &body)
    }

    /// Deploys what `body` describes.
    pub fn deploy_json(&self, app: &str, body: &Value) -> Answer {
        let ask = Ask::new("PUT", &format!("/v1/apps/{app}"));
        self.admin(&ask.header("content-type", "application/json").body(body.to_string()))
    }

    /// Asks the process to stop, as a service manager does, and waits until it has.
    pub fn stop(mut self) -> ExitStatus {
        self.terminate();
        self.wait()
    }

    /// Asks the process to stop and does not wait.
    pub fn terminate(&self) {
        signal(&self.child, "TERM");
    }

    /// Asks the keeper to start its worker process anew.
    pub fn hang_up(&self) {
        signal(&self.child, "HUP");
    }

    /// Ends the process at once, with `kill -9`.
    pub fn kill(mut self) {
        self.kill_now();
        self.wait();
    }

    /// Ends the process at once and does not wait.
    pub fn kill_now(&self) {
        signal(&self.child, "KILL");
    }

    /// The worker process of `beryl serve`, once there is one.
    pub fn worker_process(&self) -> u32 {
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        wait_for("a worker process", || {
            let children = std::fs::read_to_string(&children).ok()?;
            let mut processes = children.split_whitespace().filter_map(|id| id.parse().ok());
            processes.find(|process| !is_quarantine(*process))
        })
    }

    /// Waits until the process has ended.
    pub fn wait(&mut self) -> ExitStatus {
        wait_for("the server to end", || self.child.try_wait().unwrap())
    }

    /// Memory of the process, in KiB: what is resident.
    pub fn resident_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Everything the process has written so far.
    pub fn output(&self) -> String {
        self.output.text()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Output {
    /// What was written so far.
    pub fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }

    fn collect(&self, stream: impl Read + Send + 'static) -> JoinHandle<()> {
        let output = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n') {
                let Ok(line) = line else { return };
                let mut text = output.0.lock().unwrap();
                text.push_str(&String::from_utf8_lossy(&line));
                text.push('\n');
            }
        })
    }
}

/// A call of the binary.
pub fn beryl(command: impl AsRef<OsStr>) -> Command {
    let mut beryl = Command::new(binary());
    beryl.arg(command).env_remove("RUST_LOG");
    beryl
}

/// A call that serves apps on free ports.
pub fn serve(data: &Path) -> Command {
    let mut command = beryl("serve");
    command.arg("--data").arg(data).args(["--port", "0", "--admin-port", "0"]);
    command
}

/// Starts a process whose output is collected.
pub fn spawn(command: &mut Command, output: &Output) -> Child {
    spawn_read(command, output).0
}

/// Also gives the threads that read: they end with the output.
fn spawn_read(command: &mut Command, output: &Output) -> (Child, [JoinHandle<()>; 2]) {
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let readers = [
        output.collect(child.stdout.take().unwrap()),
        output.collect(child.stderr.take().unwrap()),
    ];
    (child, readers)
}

/// Runs a call that is expected to end by itself.
pub fn ended(command: &mut Command) -> Ended {
    let output = Output::default();
    let (mut child, readers) = spawn_read(command, &output);
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it did not end:\n{}", output.text());
        }
        thread::sleep(PAUSE);
    };
    // The last lines may still be in the pipe.
    wait_for("the output", || readers.iter().all(JoinHandle::is_finished).then_some(()));
    Ended { code: status.code(), output: output.text() }
}

/// Asks until there is a result.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(result) = ask() {
            return result;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(PAUSE);
    }
}

/// Sends a signal by its name.
pub fn signal(child: &Child, name: &str) {
    signal_process(child.id(), name);
}

/// Sends a signal by its name to a process that this one did not start itself.
pub fn signal_process(id: u32, name: &str) {
    let pid = id.to_string();
    let sent = Command::new("kill").args(["-s", name, &pid]).status().unwrap();
    assert!(sent.success(), "kill -s {name} {pid}");
}

/// The port in the line that starts with `mark`.
fn port_after(text: &str, mark: &str) -> Option<u16> {
    let line = text.lines().find_map(|line| line.strip_prefix(mark))?;
    line.rsplit(':').next()?.trim_end_matches('/').parse().ok()
}

/// What the binary prints once it serves.
const SERVING: &str = "beryl is serving on http://";

/// A machine that is busy with other tests may need long; nothing waits that long if all is well.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(5);

/// True if a worker process is that of quarantined apps, by what its keeper told it.
fn is_quarantine(process: u32) -> bool {
    let told = std::fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
    told.split(|byte| *byte == 0).any(|one| {
        let one = String::from_utf8_lossy(one);
        one.starts_with("BERYL_KEPT=") && one.contains(":quarantine:")
    })
}

/// The binary that is tested, or another one of which figures are to be taken.
fn binary() -> PathBuf {
    let other = std::env::var_os("BERYL_TEST_BINARY");
    other.map_or_else(|| env!("CARGO_BIN_EXE_beryl").into(), PathBuf::from)
}
