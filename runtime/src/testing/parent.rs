//! The process that starts those that run cases, watches them, and says what became of all.

use std::env;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, PipeReader, Write as _};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Signal, set_parent_process_death_signal};

use super::process::{DESCRIPTOR, Task};
use super::report::{CaseResult, Message, Outcome, print, print_sum, write_junit, write_lines};
use super::{ORDER, Order, Settings, Target};
use crate::serve::Failure;

/// Runs the tests that `settings` ask for; says on standard error how each of them ended.
///
/// # Errors
/// What kept them from running.
pub fn run(settings: &Settings) -> Result<ExitCode, Failure> {
    let all = match settings.target {
        Target::Document(..) => together(settings)?,
        Target::Workers(..) => apart(settings)?,
    };
    print_sum(&all.results);
    if let Some(path) = &settings.report {
        write_lines(path, &all.unknown_flags, &all.results)?;
    }
    if let Some(path) = &settings.junit {
        write_junit(path, &all.results)?;
    }
    let has_run = all.results.iter().any(|it| !matches!(it.outcome, Outcome::Skip { .. }));
    let has_failed = all.results.iter().any(|it| it.outcome.is_failure());
    Ok(if has_run && !has_failed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Called by a process that runs cases: it is of no use alone.
pub fn die_with_parent() {
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        tracing::warn!(%error, "this process will outlive the one that started it");
    }
}

/// What a run found out.
#[derive(Default)]
struct All {
    results: Vec<CaseResult>,
    unknown_flags: Vec<String>,
}

/// All cases in one process, in order; another goes on behind one that ended it.
fn together(settings: &Settings) -> Result<All, Failure> {
    let scratch = scratch(settings)?;
    let mut all = All::default();
    loop {
        let without = all.results.iter().map(|it| it.case.clone()).collect();
        let task = Task { without, filter: settings.filter.clone(), ..Task::default() };
        let folder = scratch.path().join(all.results.len().to_string());
        let ended = Running::start(settings, task, &folder, Output::Through)?.watch()?;
        all.unknown_flags = ended.unknown_flags;
        all.results.extend(ended.results);
        if !ended.is_cut_off {
            return Ok(all);
        }
    }
}

/// Every case in a process of its own, several at a time.
fn apart(settings: &Settings) -> Result<All, Failure> {
    let scratch = scratch(settings)?;
    let task = Task { only_plan: true, filter: settings.filter.clone(), ..Task::default() };
    let folder = scratch.path().join("plan");
    let planned = Running::start(settings, task, &folder, Output::Through)?.watch()?;
    if !planned.results.is_empty() {
        return Ok(All { results: planned.results, ..All::default() });
    }
    let next = Mutex::new(planned.cases.iter().enumerate());
    let done = Mutex::new(Vec::new());
    let work = || -> Result<(), String> {
        loop {
            let case = next.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((number, case)) = case else { return Ok(()) };
            let task = Task { only: Some(case.clone()), ..Task::default() };
            let folder = scratch.path().join(number.to_string());
            let running = Running::start(settings, task, &folder, Output::Kept);
            let ended = running.and_then(Running::watch).map_err(|error| error.to_string())?;
            let results = ended.results.into_iter().map(|result| (number, result));
            done.lock().unwrap_or_else(PoisonError::into_inner).extend(results);
        }
    };
    let outcomes: Vec<_> = thread::scope(|scope| {
        let jobs = settings.jobs.min(planned.cases.len());
        let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    for outcome in outcomes {
        outcome.map_err(|_| "a thread that runs tests panicked")??;
    }
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    let results = done.into_iter().map(|(_, result)| result).collect();
    Ok(All { results, ..All::default() })
}

fn scratch(settings: &Settings) -> Result<tempfile::TempDir, Failure> {
    let made = tempfile::Builder::new().prefix("beryl-test-").tempdir_in(&settings.scratch);
    made.map_err(|error| format!("--tmp {}: {error}", settings.scratch.display()).into())
}

/// Where a process writes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Output {
    /// Where this one does.
    Through,
    /// To a file, which is shown when its case is over.
    Kept,
}

/// A process that runs cases.
struct Running {
    child: Child,
    lines: Receiver<String>,
    timeout: Duration,
    output: Option<std::path::PathBuf>,
}

/// What a process did.
#[derive(Default)]
struct Ended {
    cases: Vec<String>,
    unknown_flags: Vec<String>,
    results: Vec<CaseResult>,
    /// True if it ended in the middle of a case.
    is_cut_off: bool,
}

impl Running {
    fn start(
        settings: &Settings,
        task: Task,
        folder: &Path,
        output: Output,
    ) -> Result<Running, Failure> {
        fs::create_dir_all(folder)?;
        let (reader, writer) = io::pipe()?;
        let order = serde_json::to_string(&Order { task, folder: folder.to_owned() })?;
        let mut command = Command::new(env::current_exe()?);
        command
            .args(env::args_os().skip(1))
            .env(ORDER, order)
            .fd_mappings(vec![FdMapping { parent_fd: writer.into(), child_fd: DESCRIPTOR }])?;
        let kept = (output == Output::Kept).then(|| folder.join("output"));
        if let Some(path) = &kept {
            let file = File::create(path)?;
            command.stdout(file.try_clone()?).stderr(file);
        }
        let child = command.spawn()?;
        Ok(Running { child, lines: lines_of(reader), timeout: settings.timeout, output: kept })
    }

    /// Follows the process to its end, which comes early where a case takes too long.
    fn watch(mut self) -> Result<Ended, Failure> {
        let mut ended = Ended::default();
        let mut running: Option<(String, Instant)> = None;
        let mut deadline = Instant::now() + START_TIMEOUT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = match self.lines.recv_timeout(left) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => {
                    let (case, began) = running.unwrap_or((START.into(), Instant::now()));
                    let limit_ms = u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX);
                    self.child.kill()?;
                    self.child.wait()?;
                    return Ok(self.cut_off(ended, case, began, Outcome::Timeout { limit_ms }));
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            match serde_json::from_str(&line)? {
                Message::Plan { cases, unknown_flags } => {
                    (ended.cases, ended.unknown_flags) = (cases, unknown_flags);
                }
                Message::Begin { case } => {
                    let now = Instant::now();
                    running = Some((case, now));
                    deadline = now + self.timeout;
                }
                Message::End(result) => {
                    running = None;
                    deadline = Instant::now() + START_TIMEOUT;
                    self.show(&result);
                    ended.results.push(result);
                }
                Message::Failed { message } => {
                    let outcome = Outcome::Fail { message, stack: None };
                    let result = CaseResult { case: START.into(), outcome, ms: 0 };
                    self.show(&result);
                    ended.results.push(result);
                }
            }
        }
        let status = self.child.wait()?;
        if status.success() {
            return Ok(ended);
        }
        let message = match (status.signal(), status.code()) {
            (Some(signal), _) => format!("the process died of signal {signal}"),
            (None, code) => format!("the process ended with exit code {}", code.unwrap_or(-1)),
        };
        let is_start = running.is_none();
        let (case, began) = running.unwrap_or((START.into(), Instant::now()));
        let ended = self.cut_off(ended, case, began, Outcome::Crash { message });
        // What keeps it from starting will do so again.
        Ok(Ended { is_cut_off: !is_start, ..ended })
    }

    fn cut_off(&self, mut ended: Ended, case: String, began: Instant, outcome: Outcome) -> Ended {
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let is_cut_off = case != START;
        let result = CaseResult { case, outcome, ms };
        self.show(&result);
        ended.results.push(result);
        Ended { is_cut_off, ..ended }
    }

    /// The output of a case stands above its result, and apart from that of others.
    fn show(&self, result: &CaseResult) {
        let mut out = io::stdout().lock();
        if let Some(text) = self.output.as_ref().and_then(|path| fs::read(path).ok()) {
            // Nobody reads: then the results go nowhere either.
            let _ = out.write_all(&text);
            let _ = out.flush();
        }
        print(result);
    }
}

/// The lines that come through a pipe, until everybody has closed its other end.
fn lines_of(reader: PipeReader) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(reader).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Stands for a case where none has begun.
const START: &str = "(start)";
/// How long a process may take before its first case and between two.
const START_TIMEOUT: Duration = Duration::from_secs(60);
