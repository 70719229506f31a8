//! The keeper: the process of `beryl serve` without V8, which starts the processes that run apps
//! and starts them again when they die.
//!
//! A defect of the engine, memory that the system refuses, a panic inside an op: each ends a
//! worker process. The keeper owns the listening sockets, so while there is no worker process,
//! clients wait in the backlog instead of being refused. They live and die together: an
//! orderly stop is passed on, and a worker process never outlives its keeper.
//!
//! Each worker process shares a piece of memory with the keeper in which every shard shows whose
//! code it runs. An app that ended one is moved to the [quarantine](Cordon::Quarantine), which is
//! started once it is needed, and is refused there for a while, see [`crate::strikes`]. It comes
//! home when its strikes are forgotten and the main process is started anew: for SIGHUP the keeper
//! lets it finish what it has begun, while clients that connect wait.

use std::env;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use isolate::{Blame, OffenceKind};
use network::handover;
use network::listener::Listener;
use rustix::process::{Pid, Signal, kill_process};
use storage::DataDir;
use tokio::process::{Child, Command as AsyncCommand};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::config::Config;
use crate::cordon::{self, Cordon};
use crate::kept::{FIRST_DESCRIPTOR, KEPT};
use crate::serve::{Failure, STOPPED_SERVING, now_ms};
use crate::sockets::Sockets;
use crate::strikes::Strikes;

/// Keeps worker processes running until the keeper is told to stop.
///
/// # Errors
/// What kept it from listening or from starting the first worker process.
pub fn run(config: &Config) -> Result<ExitCode, Failure> {
    let sockets = Sockets::bind(config)?;
    if cordon::is_used(&config.data_dir) {
        // Nobody has either directory, or this is the wrong moment to move anything.
        let _whole = DataDir::open(&config.data_dir)?;
        let _quarantine = DataDir::open(Cordon::Quarantine.data_dir(&config.data_dir))?;
        cordon::bring_all_home(&config.data_dir)?;
    }
    let (to, from) = handover::channel()?;
    let keeper = Keeper {
        data: &config.data_dir,
        main: Place::new(Cordon::Main, sockets.all().collect(), to)?,
        quarantine: Place::new(Cordon::Quarantine, Vec::new(), from)?,
        strikes: Strikes::default(),
        away: Vec::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(keeper.keep())
}

struct Keeper<'a> {
    data: &'a Path,
    main: Place<'a>,
    quarantine: Place<'a>,
    strikes: Strikes,
    /// The apps whose data is in the quarantine.
    away: Vec<String>,
}

/// One cordon: what its processes inherit, and the one that runs.
struct Place<'a> {
    cordon: Cordon,
    listeners: Vec<&'a Listener>,
    channel: UnixDatagram,
    blame: Blame,
    memory: OwnedFd,
    deaths: Deaths,
    child: Option<Child>,
    started: Instant,
    /// When the next one is to be started.
    due: Option<Instant>,
}

enum Happened {
    Ended(ExitStatus),
    QuarantineEnded(ExitStatus),
    QuarantineDue,
    Asked(Ask),
}

/// What a signal asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    Stop,
    Renew,
}

impl Keeper<'_> {
    async fn keep(mut self) -> Result<ExitCode, Failure> {
        let mut asks = Asks::new()?;
        self.start_main()?;
        loop {
            let due = self.quarantine.due;
            let happened = tokio::select! {
                status = self.main.ended() => Happened::Ended(status?),
                status = self.quarantine.ended() => Happened::QuarantineEnded(status?),
                () = until(due) => Happened::QuarantineDue,
                ask = asks.next() => Happened::Asked(ask),
            };
            match happened {
                Happened::Asked(Ask::Stop) => {
                    let code = self.main.stop().await?;
                    self.quarantine.stop().await?;
                    return Ok(code);
                }
                Happened::Asked(Ask::Renew) => self.renew().await?,
                Happened::QuarantineEnded(status) => self.quarantine_ended(status),
                Happened::QuarantineDue => self.start_quarantine()?,
                Happened::Ended(status) => {
                    let is_first = self.main.deaths.total == 0;
                    match status.code() {
                        Some(0) => return Ok(ExitCode::SUCCESS),
                        // It has said what is wrong, and trying again will not change it.
                        Some(code) if is_first && code != i32::from(STOPPED_SERVING) => {
                            return Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)));
                        }
                        _ => {}
                    }
                    let (pause, offender) = self.main.died(status, &mut self.strikes);
                    if let Some(app) = &offender {
                        self.send_away(app);
                    }
                    tokio::select! {
                        () = sleep(pause) => {}
                        Ask::Stop = asks.next() => {
                            self.quarantine.stop().await?;
                            return Ok(ExitCode::SUCCESS);
                        }
                    }
                    self.start_main()?;
                    if offender.is_some() {
                        // It finds what has come by its start only.
                        self.quarantine.end_soon().await?;
                        self.start_quarantine()?;
                    }
                }
            }
        }
    }

    fn start_main(&mut self) -> Result<(), Failure> {
        let told = (self.strikes.to_text(now_ms()), self.away.join(","));
        self.main.start(&told)
    }

    fn start_quarantine(&mut self) -> Result<(), Failure> {
        self.quarantine.due = None;
        if self.away.is_empty() {
            return Ok(());
        }
        let told = (self.strikes.to_text(now_ms()), String::new());
        self.quarantine.start(&told)
    }

    fn send_away(&mut self, app: &str) {
        if self.away.iter().any(|known| known == app) {
            return;
        }
        match cordon::send_away(self.data, app) {
            Ok(()) => self.away.push(app.to_owned()),
            // It stays where it is, and is refused for a while.
            Err(error) => tracing::error!(app, %error, "cannot be moved to the quarantine"),
        }
    }

    fn quarantine_ended(&mut self, status: ExitStatus) {
        let (pause, offender) = self.quarantine.died(status, &mut self.strikes);
        // What one of them does, others pay for here; not twice in a row for the same.
        let pause = if offender.is_some() { Duration::ZERO } else { pause };
        self.quarantine.due = Some(Instant::now() + pause);
    }

    /// Starts the main process anew, without a request lost; those whose strikes are forgotten
    /// come home.
    async fn renew(&mut self) -> Result<(), Failure> {
        tracing::info!("the worker process is started anew");
        self.main.stop().await?;
        let known = self.strikes.known(now_ms());
        let (stay, come): (Vec<_>, Vec<_>) =
            self.away.drain(..).partition(|app| known.contains(app));
        self.away = stay;
        if !come.is_empty() {
            self.quarantine.stop().await?;
            for app in come {
                match cordon::bring_home(self.data, &app) {
                    Ok(()) => tracing::info!(app, "comes home from the quarantine"),
                    Err(error) => {
                        tracing::error!(app, %error, "cannot be moved home");
                        self.away.push(app);
                    }
                }
            }
            self.start_quarantine()?;
        }
        self.main.deaths.total = self.main.deaths.total.saturating_add(1);
        self.start_main()
    }
}

impl<'a> Place<'a> {
    fn new(
        cordon: Cordon,
        listeners: Vec<&'a Listener>,
        channel: UnixDatagram,
    ) -> io::Result<Place<'a>> {
        let (blame, memory) = Blame::shared()?;
        let (deaths, started) = (Deaths::default(), Instant::now());
        let (child, due) = (None, None);
        Ok(Place { cordon, listeners, channel, blame, memory, deaths, child, started, due })
    }

    /// Starts this program again, with the sockets from descriptor 3 on, then the channel and the
    /// shared memory.
    fn start(&mut self, (refused, away): &(String, String)) -> Result<(), Failure> {
        let mut descriptors =
            self.listeners.iter().map(|one| one.descriptor()).collect::<Result<Vec<_>, _>>()?;
        descriptors.push(self.channel.try_clone()?.into());
        let sockets = descriptors.len();
        descriptors.push(self.memory.try_clone()?);
        let (cordon, restarts) = (self.cordon.name(), self.deaths.total);
        let told = format!("{}:{cordon}:{restarts}:{refused}:{away}", std::process::id());
        let mut command = Command::new(env::current_exe()?);
        command
            .args(env::args_os().skip(1))
            .env(KEPT, told)
            .env("LISTEN_FDS", sockets.to_string())
            .env_remove("LISTEN_PID")
            .env_remove("LISTEN_FDS_FIRST_FD")
            .fd_mappings(mappings(descriptors))?;
        self.started = Instant::now();
        self.child = Some(AsyncCommand::from(command).spawn()?);
        Ok(())
    }

    /// Waits for the end of its process; for ever if there is none.
    async fn ended(&mut self) -> io::Result<ExitStatus> {
        let Some(child) = &mut self.child else { return std::future::pending().await };
        let status = child.wait().await;
        self.child = None;
        status
    }

    /// Notes an end that nobody asked for: how long to wait before the next one, and the app that
    /// is to blame.
    fn died(&mut self, status: ExitStatus, strikes: &mut Strikes) -> (Duration, Option<String>) {
        let offence = self.blame.take();
        // Who is refused cannot end the next one as well.
        let pause = match &offence {
            Some(_) => self.deaths.add(STEADY),
            None => self.deaths.add(self.started.elapsed()),
        };
        let (cordon, cause, pause_ms) = (self.cordon.name(), describe(status), pause.as_millis());
        tracing::error!(cordon, cause, pause_ms, "the worker process ended; starting another");
        let app = offence.map(|offence| {
            let refused_s = strikes.add(&offence.label, now_ms()).as_secs();
            let (app, how) = (offence.label, how(offence.kind));
            tracing::error!(app, how, refused_s, "an app ended the worker process");
            app
        });
        (pause, app)
    }

    /// Passes the request to stop on. The worker process drains for as long as it allows itself.
    async fn stop(&mut self) -> Result<ExitCode, Failure> {
        self.due = None;
        let Some(mut child) = self.child.take() else { return Ok(ExitCode::SUCCESS) };
        tell(&child, Signal::TERM);
        let code = child.wait().await?.code();
        Ok(ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
    }

    /// As [`stop`](Self::stop), without much patience.
    async fn end_soon(&mut self) -> Result<(), Failure> {
        self.due = None;
        let Some(mut child) = self.child.take() else { return Ok(()) };
        tell(&child, Signal::TERM);
        if timeout(PATIENCE, child.wait()).await.is_err() {
            child.kill().await?;
        }
        Ok(())
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn tell(child: &Child, signal: Signal) {
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) {
        // One that has just ended is waited for all the same.
        let _ = kill_process(pid, signal);
    }
}

fn how(kind: OffenceKind) -> &'static str {
    match kind {
        OffenceKind::Stuck => "its code could not be stopped",
        OffenceKind::Crashed => "the engine crashed while its code ran",
    }
}

fn mappings(descriptors: Vec<OwnedFd>) -> Vec<FdMapping> {
    let numbered = (FIRST_DESCRIPTOR..).zip(descriptors);
    numbered.map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd }).collect()
}

fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("signal {signal}"),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => "unknown".into(),
    }
}

/// The signals that ask for something.
struct Asks {
    terminate: Signals,
    interrupt: Signals,
    hang_up: Signals,
}

impl Asks {
    fn new() -> io::Result<Asks> {
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Asks { terminate, interrupt, hang_up: signal(SignalKind::hangup())? })
    }

    async fn next(&mut self) -> Ask {
        tokio::select! {
            _ = self.terminate.recv() => Ask::Stop,
            _ = self.interrupt.recv() => Ask::Stop,
            _ = self.hang_up.recv() => Ask::Renew,
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

/// A worker process that lived this long did not die of how it was started.
const STEADY: Duration = Duration::from_secs(60);

/// Between the second and the third worker process of a row; doubled from then on.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// How long the quarantine may go on with what it has begun when another app joins it.
const PATIENCE: Duration = Duration::from_secs(2);

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
}
