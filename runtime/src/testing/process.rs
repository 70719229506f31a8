//! The process that runs cases, one after the other, and tells the one that started it.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use network::{Egress, Gateway};
use serde::{Deserialize, Serialize};
use storage::{DataDir, SyncPool};
use tokio::sync::oneshot;
use worker::alarm_index::AlarmIndex;
use worker::configured::Configured;
use worker::entrypoint::{Call, Entrypoint, Reply, Serialized};
use worker::error::{Error, Thrown};
use worker::limits::Limits;
use worker::message::{Request, Response};
use worker::outbound::Internet;
use worker::shard::{Config as ShardConfig, Shard};
use worker::shards::{MakeService, Shards};

use super::report::{CaseResult, Message, Outcome};
use crate::serve::{Failure, Past, SYNC_THREADS, engine, raise_open_files_limit};

/// What one process is to do.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Task {
    /// True to tell which cases there are and run none.
    pub only_plan: bool,
    /// This case only.
    pub only: Option<String>,
    /// Those of a service, or one of them, as the user typed it.
    pub filter: Option<String>,
    /// Not these.
    pub without: Vec<String>,
}

/// What is tested.
pub struct Tested {
    /// The workers.
    pub workers: Configured,
    /// Their names, by place.
    pub names: Vec<String>,
    /// Compatibility flags that nobody knows.
    pub unknown_flags: Vec<String>,
    /// What they may fetch from; none for nothing at all.
    pub egress: Option<Egress>,
    /// CPU time that JavaScript may take at a stretch, in milliseconds.
    pub cpu_ms: u64,
}

/// Runs the cases of `task`, with data in `folder`.
///
/// # Errors
/// What kept it from running any.
pub fn run(tested: Tested, task: Task, folder: &Path) -> Result<(), Failure> {
    raise_open_files_limit();
    let limits = Limits { cpu_ms: tested.cpu_ms, ..Limits::default() };
    // V8 first: it must be initialised before any other thread exists.
    let engine = engine(&limits);
    let data = DataDir::open(folder)?;
    let (done, ended) = oneshot::channel();
    let names = tested.names;
    let run = Run { names, unknown_flags: tested.unknown_flags, task, channel: Channel::open()? };
    let slot = Mutex::new(Some((run, done)));
    let service: MakeService = Arc::new(move |shard, _| {
        let run = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        Box::pin(async move {
            if let Some((run, done)) = run {
                run.all(&shard).await;
                // The main thread waits for nothing else.
                let _ = done.send(());
            }
            Ok(())
        })
    });
    let internet: Arc<dyn Internet> = match tested.egress {
        Some(egress) => Arc::new(Gateway::new(egress, [])?),
        None => Arc::new(NoInternet),
    };
    let config = ShardConfig {
        workers: tested.workers.tested(),
        data: data.path().to_path_buf(),
        limits,
        sink: SyncPool::start(SYNC_THREADS)?,
        engine: Arc::new(engine),
        alarms: AlarmIndex::open(data.path())?,
        clock: Arc::default(),
        internet,
        crons: Vec::new(),
        blame: Past::none().blame,
        quarantine: Arc::default(),
    };
    let _shards = Shards::start(1, config, service)?;
    // The process ends without a word to what still runs: its data is thrown away.
    Ok(ended.blocking_recv().map_err(|_| "the shard ended")?)
}

/// One process's run.
struct Run {
    names: Vec<String>,
    unknown_flags: Vec<String>,
    task: Task,
    channel: Channel,
}

impl Run {
    async fn all(mut self, shard: &Rc<Shard>) {
        match self.plan(shard).await {
            Err(error) => self.channel.tell(&Message::Failed { message: said(&error) }),
            Ok(cases) => {
                let names = cases.iter().map(|case| case.name.clone()).collect();
                let unknown_flags = std::mem::take(&mut self.unknown_flags);
                self.channel.tell(&Message::Plan { cases: names, unknown_flags });
                for case in cases {
                    if self.task.runs(&case.name) {
                        self.one(shard, case).await;
                    }
                }
            }
        }
    }

    async fn plan(&self, shard: &Rc<Shard>) -> Result<Vec<Case>, Error> {
        shard.start_configured()?;
        let mut cases = Vec::new();
        for (place, service) in self.names.iter().enumerate() {
            for export in shard.names_of_tests(place).await? {
                let name = match export.as_str() {
                    "default" => service.clone(),
                    export => format!("{service}:{export}"),
                };
                cases.push(Case { name, place, export });
            }
        }
        cases.retain(|case| self.task.lets_through(&case.name));
        Ok(cases)
    }

    async fn one(&mut self, shard: &Rc<Shard>, case: Case) {
        self.channel.tell(&Message::Begin { case: case.name.clone() });
        let began = Instant::now();
        let test = shard.run_test(case.place, &case.export);
        let outcome = tokio::select! {
            outcome = test => outcome,
            () = stuck(shard) => Err(hung()),
        };
        let outcome = match outcome {
            Ok(missing) if missing.is_empty() => Outcome::Pass,
            Ok(missing) => Outcome::Skip { reason: format!("missing {}", missing.join(", ")) },
            Err(Error::AppThrew(thrown)) => {
                let message = format!("{}: {}", thrown.name, thrown.message);
                Outcome::Fail { message, stack: thrown.stack.clone() }
            }
            Err(error) => Outcome::Fail { message: error.to_string(), stack: None },
        };
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.channel.tell(&Message::End(CaseResult { case: case.name, outcome, ms }));
    }
}

impl Task {
    fn runs(&self, case: &str) -> bool {
        let is_asked = self.only.as_ref().is_none_or(|only| only == case);
        is_asked && !self.only_plan && !self.without.iter().any(|name| name == case)
    }

    /// True for cases that the filter names by their service, export or both.
    fn lets_through(&self, case: &str) -> bool {
        let Some(filter) = &self.filter else { return true };
        let (service, export) = case.split_once(':').unwrap_or((case, "default"));
        [case, service, export].contains(&filter.as_str())
    }
}

/// One exported test.
struct Case {
    name: String,
    place: usize,
    export: String,
}

/// Ends once nothing has gone on for a while that could settle the promise of a test.
async fn stuck(shard: &Rc<Shard>) {
    let mut looks = 0;
    while looks < STUCK_LOOKS {
        tokio::time::sleep(STUCK_PAUSE).await;
        looks = if shard.is_stuck() { looks + 1 } else { 0 };
    }
}

fn hung() -> Error {
    let message = "The Workers runtime canceled this request because it detected that your \
                   Worker's code had hung and would never generate a response. Refer to: \
                   https://developers.cloudflare.com/workers/observability/errors/";
    Error::AppThrew(Thrown::new("Error", message).into())
}

fn said(error: &Error) -> String {
    match error {
        Error::AppStart(start) => match (&start.at, &start.frame) {
            (Some(at), Some(frame)) => {
                format!("{error}\n  at {}:{}:{}\n{frame}", at.module, at.line, at.column)
            }
            _ => error.to_string(),
        },
        error => error.to_string(),
    }
}

/// The way back to the process that started this one.
struct Channel(File);

impl Channel {
    fn open() -> Result<Channel, Failure> {
        let path = format!("/proc/self/fd/{DESCRIPTOR}");
        Ok(Channel(OpenOptions::new().write(true).open(path)?))
    }

    fn tell(&mut self, message: &Message) {
        let line = serde_json::to_string(message).unwrap_or_default() + "\n";
        // Nobody reads any more: this process is about to be ended.
        let _ = self.0.write_all(line.as_bytes());
    }
}

/// The internet of tests that are not to reach it.
struct NoInternet;

impl Internet for NoInternet {
    fn open(&self) -> Rc<dyn Entrypoint> {
        Rc::new(Nowhere)
    }
}

/// Fails like a network that is down.
struct Nowhere;

impl Entrypoint for Nowhere {
    fn fetch(&self, _request: Request) -> Reply<Response> {
        let error = Thrown::new("Error", "Network connection lost.");
        Box::pin(async { Err(Error::AppThrew(error.into())) })
    }

    fn call(&self, _call: Call) -> Reply<Serialized> {
        Box::pin(async { Err(Error::AppNoHandler("the internet has no methods".into())) })
    }
}

/// The descriptor of the pipe to the process that started this one.
pub const DESCRIPTOR: i32 = 3;
/// How often nothing must go on, and how long between two looks.
const STUCK_LOOKS: u32 = 3;
const STUCK_PAUSE: Duration = Duration::from_millis(100);
