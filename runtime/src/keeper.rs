//! The keeper: the process of `beryl serve` without V8, which starts the process that runs apps
//! and starts it again when it dies.
//!
//! A defect of the engine, memory that the system refuses, a panic inside an op: each ends the
//! worker process. The keeper owns the listening sockets, so while there is no worker process,
//! clients wait in the backlog instead of being refused. The two live and die together: an
//! orderly stop is passed on, and a worker process never outlives its keeper.
//!
//! Both share a piece of memory in which every shard shows whose code it runs. An app that ended a
//! worker process is refused by the next ones for a while, see [`crate::strikes`].

use std::collections::HashMap;
use std::env;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use isolate::{Blame, OffenceKind};
use listenfd::ListenFd;
use network::listener::Listener;
use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
use tokio::process::{Child, Command as AsyncCommand};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::time::sleep;

use crate::config::Config;
use crate::serve::{Failure, STOPPED_SERVING, Sockets, now_ms};
use crate::strikes::Strikes;

/// What a worker process knows of its keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    keeper: i32,
    /// How many worker processes there were before this one.
    pub restarts: u32,
    /// The apps that are refused, and until when in milliseconds since 1970.
    pub refused: HashMap<String, u64>,
}

/// What a worker process takes over from its keeper.
pub struct Inheritance {
    /// What it is told.
    pub kept: Kept,
    /// The sockets to serve on.
    pub listeners: Vec<Listener>,
    /// Where it shows whose code runs.
    pub blame: Blame,
}

/// Keeps a worker process running until the keeper is told to stop.
///
/// # Errors
/// What kept it from listening or from starting the first worker process.
pub fn run(config: &Config) -> Result<ExitCode, Failure> {
    let sockets = Sockets::bind(config)?;
    let (blame, memory) = Blame::shared()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(keep(&sockets, (blame, &memory)))
}

async fn keep(sockets: &Sockets, (blame, memory): (Blame, &OwnedFd)) -> Result<ExitCode, Failure> {
    let mut stop = Stop::new()?;
    let mut deaths = Deaths::default();
    let mut strikes = Strikes::default();
    loop {
        let started = Instant::now();
        let refused = strikes.to_text(now_ms());
        let mut worker = start(sockets, memory, &format!("{}:{refused}", deaths.total))?;
        let status = tokio::select! {
            status = worker.wait() => status?,
            () = stop.asked() => return end(&mut worker).await,
        };
        let is_first = deaths.total == 0;
        match status.code() {
            Some(0) => return Ok(ExitCode::SUCCESS),
            // It has said what is wrong, and that will not change by trying again.
            Some(code) if is_first && code != i32::from(STOPPED_SERVING) => {
                return Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)));
            }
            _ => {}
        }
        let offence = blame.take();
        // Who is refused cannot end the next one as well.
        let pause = match &offence {
            Some(_) => deaths.add(STEADY),
            None => deaths.add(started.elapsed()),
        };
        let (cause, pause_ms) = (describe(status), pause.as_millis());
        tracing::error!(cause, pause_ms, "the worker process ended; starting another");
        if let Some(offence) = offence {
            let refused_s = strikes.add(&offence.label, now_ms()).as_secs();
            let (app, how) = (offence.label, how(offence.kind));
            tracing::error!(app, how, refused_s, "an app ended the worker process");
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.asked() => return Ok(ExitCode::SUCCESS),
        }
    }
}

fn how(kind: OffenceKind) -> &'static str {
    match kind {
        OffenceKind::Stuck => "its code could not be stopped",
        OffenceKind::Crashed => "the engine crashed while its code ran",
    }
}

/// Starts this program again, with the sockets from descriptor 3 on and then the shared memory.
fn start(sockets: &Sockets, memory: &OwnedFd, told: &str) -> Result<Child, Failure> {
    let mut descriptors = sockets.all().map(Listener::descriptor).collect::<Result<Vec<_>, _>>()?;
    let sockets = descriptors.len();
    descriptors.push(memory.try_clone()?);
    let mut command = Command::new(env::current_exe()?);
    command
        .args(env::args_os().skip(1))
        .env(KEPT, format!("{}:{told}", std::process::id()))
        .env("LISTEN_FDS", sockets.to_string())
        .env_remove("LISTEN_PID")
        .env_remove("LISTEN_FDS_FIRST_FD")
        .fd_mappings(mappings(descriptors))?;
    Ok(AsyncCommand::from(command).spawn()?)
}

fn mappings(descriptors: Vec<OwnedFd>) -> Vec<FdMapping> {
    let numbered = (FIRST_DESCRIPTOR..).zip(descriptors);
    numbered.map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd }).collect()
}

/// Passes the request to stop on. The worker process drains for as long as it allows itself.
async fn end(worker: &mut Child) -> Result<ExitCode, Failure> {
    if let Some(pid) = worker.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) {
        // One that has just ended is waited for all the same.
        let _ = kill_process(pid, Signal::TERM);
    }
    let code = worker.wait().await?.code();
    Ok(ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("signal {signal}"),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => "unknown".into(),
    }
}

/// The two signals that ask for an orderly stop.
struct Stop {
    terminate: Signals,
    interrupt: Signals,
}

impl Stop {
    fn new() -> io::Result<Stop> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Stop { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// How often worker processes died, and how long to wait before the next one. Pure.
#[derive(Debug, Default)]
struct Deaths {
    total: u32,
    in_a_row: u32,
}

impl Deaths {
    /// Notes the death of one that lived for `age`: the first of a row is replaced at once, later
    /// ones ever more slowly.
    fn add(&mut self, age: Duration) -> Duration {
        self.total = self.total.saturating_add(1);
        self.in_a_row = if age >= STEADY { 1 } else { self.in_a_row.saturating_add(1) };
        match self.in_a_row.saturating_sub(1) {
            0 => Duration::ZERO,
            again => PAUSE_MIN.saturating_mul(1 << (again - 1).min(16)).min(PAUSE_MAX),
        }
    }
}

impl Kept {
    /// What the environment says, and the sockets that came along; `None` in a process that no
    /// keeper started. Before any other thread exists.
    ///
    /// # Errors
    /// When the keeper is gone already, or a socket is none.
    pub fn from_env() -> io::Result<Option<Inheritance>> {
        let Some(kept) = env::var(KEPT).ok().as_deref().and_then(Kept::parse) else {
            return Ok(None);
        };
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // It may have ended before the line above could see it.
        if getppid().map(Pid::as_raw_pid) != Some(kept.keeper) {
            return Err(io::Error::other("the keeper process has ended"));
        }
        let mut inherited = ListenFd::from_env();
        let mut listeners = Vec::with_capacity(inherited.len());
        for index in 0..inherited.len() {
            let socket = inherited.take_tcp_listener(index)?;
            listeners.extend(socket.map(Listener::inherited).transpose()?);
        }
        let memory = FIRST_DESCRIPTOR + i32::try_from(listeners.len()).unwrap_or(i32::MAX);
        let blame = Blame::inherit(memory)?;
        Ok(Some(Inheritance { kept, listeners, blame }))
    }

    fn parse(text: &str) -> Option<Kept> {
        let (keeper, told) = text.split_once(':')?;
        let (restarts, refused) = told.split_once(':')?;
        let (keeper, restarts) = (keeper.parse().ok()?, restarts.parse().ok()?);
        Some(Kept { keeper, restarts, refused: Strikes::parse(refused) })
    }
}

/// How a worker process knows that it is one: `<process id of the keeper>:<restarts>:<refused>`.
const KEPT: &str = "BERYL_KEPT";

/// After standard input, output and error.
const FIRST_DESCRIPTOR: i32 = 3;

/// A worker process that lived this long did not die of how it was started.
const STEADY: Duration = Duration::from_secs(60);

/// Between the second and the third worker process of a row; doubled from then on.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_death_costs_no_time_and_a_row_of_them_ever_more() {
        let mut deaths = Deaths::default();
        let pauses: Vec<u128> =
            (0..5).map(|_| deaths.add(Duration::from_millis(5)).as_millis()).collect();
        assert_eq!(pauses, [0, 100, 200, 400, 800]);
        (0..100).for_each(|_| assert!(deaths.add(Duration::ZERO) > Duration::ZERO));
        assert_eq!(deaths.add(Duration::ZERO), PAUSE_MAX);
        assert_eq!(deaths.add(STEADY), Duration::ZERO, "a steady one begins a new row");
        assert_eq!(deaths.total, 107);
    }

    #[test]
    fn what_no_keeper_wrote_is_not_understood() {
        let refused = [("bad".to_owned(), 5)].into();
        assert_eq!(Kept::parse("12:3:bad=5"), Some(Kept { keeper: 12, restarts: 3, refused }));
        for text in ["", "12", ":", "12:", "a:1:", "12:-1:", "12:3"] {
            assert_eq!(Kept::parse(text), None, "{text}");
        }
    }
}
