//! Puts the rooms together and serves until it is told to stop.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use control::catalogue::Catalogue;
use control::rest::{Admin, AdminConfig, BODY_BYTES_MAX};
use control::token::{Origin, Token};
use isolate::{Blame, Engine, IsolateLimits};
use network::Gateway;
use network::handover::Handover;
use network::limits::HttpLimits;
use network::listener::{Intake, Listener};
use network::router::{Public, Router};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use storage::durability::DurabilitySink;
use storage::{Brake, DataDir, SyncPool};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use worker::actor_id::ActorId;
use worker::alarm_index::AlarmIndex;
use worker::bindings::Bindings;
use worker::code::{Env, Module, NodeCompat, WorkerCode, check_bundle};
use worker::configured::Configured;
use worker::entrypoint::Entrypoint;
use worker::error::{Error, StartStage};
use worker::limits::Limits;
use worker::outbound::Outbound;
use worker::quarantine::Quarantine;
use worker::shard::{Config as ShardConfig, Shard};
use worker::shards::{MakeService, Shards};
use worker::stub::MainStub;

use crate::apps::{CLASS, Supervisors};
use crate::config::{Auth, Config, Mode, Run, Serve};
use crate::cordon::Cordon;
use crate::debug;
use crate::linked;
use crate::sandbox::{Layers, Sandbox};
use crate::sockets::Sockets;

/// Why a process stopped, for people.
pub type Failure = Box<dyn std::error::Error>;

/// What worker processes before this one leave to it.
pub struct Past {
    /// How many there were.
    pub restarts: u32,
    /// The apps that are refused, and until when in milliseconds since 1970.
    pub refused: HashMap<String, u64>,
    /// The apps that live in another process.
    pub away: Vec<String>,
    /// Where the process shows whose code runs.
    pub blame: Blame,
}

impl Past {
    /// That of a process without a keeper.
    #[must_use]
    pub fn none() -> Past {
        let (refused, away) = (HashMap::new(), Vec::new());
        Past { restarts: 0, refused, away, blame: Blame::private() }
    }
}

/// How the process ends once it has served.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StoppedServing(String);

/// Serves what `config` asks for on `sockets`, after the worker processes of `past`.
///
/// # Errors
/// What kept the process from serving; [`StoppedServing`] where it did serve for a while.
pub fn run(config: Config, sockets: Sockets, past: Past) -> Result<(), Failure> {
    raise_open_files_limit();
    let sandbox = match &config.mode {
        Mode::Serve(settings) => settings.sandbox,
        Mode::Run(_) | Mode::Configured(_) => Sandbox::Off,
    };
    let layers =
        (sandbox != Sandbox::Off).then(|| Layers::enter(&config.data_dir, config.archive.as_ref()));
    // V8 first: it must be initialised before any other thread exists.
    let engine = engine(&config.limits);
    let data = Arc::new(DataDir::open(&config.data_dir)?);
    let lost_syncs = watch_syncs();
    let pool = SyncPool::start(SYNC_THREADS)?;
    let brake = Arc::new(Brake::new(pool.clone()));
    let gateway = Arc::new(Gateway::new(config.egress, [])?);
    // Ends behind the shards, whose last logs it takes.
    let archive = config.archive.as_ref().map(|place| place.start(data.path(), &gateway));
    let _archive = archive.transpose()?;
    let http = HttpLimits::new(&config.limits);
    let away = past.away.iter().map(|app| ActorId::from_name(CLASS, app).bytes());
    let quarantine = Arc::new(Quarantine::new(past.refused).with_away(away));
    let (plan, workers) = Plan::new(&config, &data, &sockets)?;
    let (ready, started) = oneshot::channel();
    let service = plan.service(sockets, http.clone(), ready);
    let (service, sink): (_, Arc<dyn DurabilitySink>) = match config.debug_port {
        Some(port) => (debug::beside(service, port, http, brake.clone())?, brake),
        None => (service, pool),
    };
    let shards = ShardConfig {
        workers,
        data: data.path().to_path_buf(),
        limits: Limits { actors_max: actors_max(config.shards.get()), ..config.limits.clone() },
        sink,
        engine: Arc::new(engine),
        alarms: AlarmIndex::open(data.path())?,
        clock: Arc::default(),
        blame: past.blame,
        quarantine,
        internet: gateway,
        crons: match &config.mode {
            Mode::Run(run) => run.crons.clone(),
            Mode::Configured(projects) => linked::crons(projects),
            Mode::Serve(_) => Vec::new(),
        },
    };
    if let Some(layers) = layers.map(|layers| layers.close(config.archive.as_ref())) {
        tracing::info!(%layers, "sandbox");
        if sandbox == Sandbox::Required {
            layers.require()?;
        }
    }
    let shards = Shards::start(config.shards.get(), shards, service)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve_until_stopped(shards, started, lost_syncs, (&plan, past.restarts)))
}

/// Receives the syncs that failed and leave the process not knowing what is on disk.
fn watch_syncs() -> mpsc::UnboundedReceiver<String> {
    let (lost, lost_syncs) = mpsc::unbounded_channel();
    // Without a receiver the process is ending already.
    storage::on_lost_sync(move |error| drop(lost.send(error.to_string())));
    lost_syncs
}

/// Starts V8 and bounds SQLite's memory; before any other thread is started.
pub fn engine(limits: &Limits) -> Engine {
    storage::set_heap_limit(limits.sqlite_heap_bytes_max);
    let limits = IsolateLimits {
        heap_bytes_max: limits.heap_bytes_max,
        buffer_bytes_max: limits.buffer_bytes_max,
        isolates_max: limits.isolates_max,
    };
    Engine::start(SNAPSHOT, LAZY_SCRIPTS, ops::extensions, limits)
}

async fn serve_until_stopped(
    mut shards: Shards,
    started: oneshot::Receiver<Result<(), String>>,
    mut lost_syncs: mpsc::UnboundedReceiver<String>,
    (plan, restarts): (&Plan, u32),
) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let failed: Option<Failure> = match started.await {
        Ok(Ok(())) => {
            plan.announce(restarts);
            tokio::select! {
                _ = terminate.recv() => None,
                _ = interrupt.recv() => None,
                failure = shards.failure() => Some(StoppedServing(failure).into()),
                // At once: an orderly stop would trust what is in memory.
                Some(lost) = lost_syncs.recv() => {
                    return Err(StoppedServing(format!("a sync failed: {lost}")).into());
                }
            }
        }
        Ok(Err(error)) => Some(error.into()),
        Err(_) => Some(shards.failure().await.into()),
    };
    tracing::info!("stopping: no new connections, waiting for requests in flight");
    shards.stop();
    match failed {
        None => Ok(()),
        Some(error) => Err(error),
    }
}

/// What the process serves and where.
struct Plan {
    cordon: Cordon,
    public: SocketAddr,
    host: Option<Host>,
}

/// What only `beryl serve` has.
struct Host {
    settings: Serve,
    admin_addr: SocketAddr,
    catalogue: Catalogue,
    token: Option<(Token, Origin)>,
    token_path: PathBuf,
}

impl Plan {
    fn new(
        config: &Config,
        data: &DataDir,
        sockets: &Sockets,
    ) -> Result<(Plan, Configured), Failure> {
        let public = sockets.public.first().map_or(config.listen, Listener::local_addr);
        let cordon = sockets.cordon;
        let plan = |host| Plan { cordon, public, host };
        match &config.mode {
            Mode::Run(run) => Ok((plan(None), Configured::single(script(run)?))),
            Mode::Configured(projects) => {
                let workers = linked::link(projects, data.path())?;
                Ok((plan(None), workers))
            }
            Mode::Serve(_) if cordon == Cordon::Quarantine => {
                Ok((plan(None), Configured::single(app_runner()?)))
            }
            Mode::Serve(settings) => {
                let token = match settings.auth {
                    Auth::Token => Some(Token::open(data.path())?),
                    Auth::Open => None,
                };
                let host = Host {
                    settings: settings.clone(),
                    admin_addr: sockets.admin.as_ref().map_or(settings.admin, Listener::local_addr),
                    catalogue: Catalogue::open(data.path())?,
                    token,
                    token_path: data.path().join(control::token::FILE_NAME),
                };
                let workers = Configured::single(app_runner()?);
                Ok((plan(Some(host)), workers))
            }
        }
    }

    /// The service of every shard: the public listener, on the first one the admin listener
    /// too.
    fn service(
        &self,
        sockets: Sockets,
        http: HttpLimits,
        ready: oneshot::Sender<Result<(), String>>,
    ) -> MakeService {
        let channel = sockets.channel;
        let cordon = self.cordon;
        let shared = Mutex::new((sockets.public, Some(ready)));
        let admin = self
            .host
            .as_ref()
            .map(|host| Arc::new(AdminPlan::new(host, self.public, sockets.admin)));
        Arc::new(move |shard, stopping| {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let share = Share {
                cordon,
                listener: shared.0.pop(),
                channel: channel.as_ref().and_then(|channel| channel.try_clone().ok()),
                admin: admin.clone(),
                ready: if shard.index() == 0 { shared.1.take() } else { None },
            };
            Box::pin(serve_shard(shard, stopping, share, http.clone()))
        })
    }

    /// Says where the process serves, and what to try next.
    fn announce(&self, restarts: u32) {
        if self.cordon == Cordon::Quarantine {
            return tracing::info!(restarts, "the quarantine is open");
        }
        if restarts > 0 {
            return tracing::info!(restarts, "serving again");
        }
        println!("beryl is serving on http://{}", self.public);
        let Some(host) = &self.host else { return };
        println!("admin API on http://{}", host.admin_addr);
        let header = match &host.token {
            None => String::new(),
            Some((_, Origin::Created { text, path })) => {
                println!("admin token (kept in {}): {text}", path.display());
                format!(" -H 'authorization: Bearer {text}'")
            }
            Some((_, Origin::Read)) => {
                format!(" -H \"authorization: Bearer $(cat {})\"", host.token_path.display())
            }
        };
        println!(
            "\ntry:\n  curl -X PUT http://{}/v1/apps/hello{header} \\\n    \
             -H 'content-type: application/javascript' -d '{EXAMPLE}'\n  \
             curl http://hello.{}:{}/",
            host.admin_addr,
            host.settings.base_domain,
            self.public.port(),
        );
    }
}

/// What the admin listener needs, on whichever thread it runs.
struct AdminPlan {
    listener: Mutex<Option<Listener>>,
    catalogue: Catalogue,
    token: Option<Token>,
    hosts: Vec<String>,
    public_authority: String,
    base_domain: String,
}

impl AdminPlan {
    fn new(host: &Host, public: SocketAddr, listener: Option<Listener>) -> AdminPlan {
        AdminPlan {
            listener: Mutex::new(listener),
            catalogue: host.catalogue.clone(),
            token: host.token.as_ref().map(|(token, _)| token.clone()),
            hosts: vec![match host.admin_addr.ip() {
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            }],
            public_authority: format!("{}:{}", host.settings.base_domain, public.port()),
            base_domain: host.settings.base_domain.clone(),
        }
    }

    fn entrypoint(&self, shard: &Rc<Shard>, supervisors: &Supervisors) -> Admin {
        Admin::new(AdminConfig {
            catalogue: self.catalogue.clone(),
            host: Rc::new(supervisors.clone()),
            token: self.token.clone(),
            admin_hosts: self.hosts.clone(),
            public_authority: self.public_authority.clone(),
            limits: shard.limits().table(),
            now_ms,
        })
    }

    fn public(&self, supervisors: &Supervisors) -> Rc<dyn Entrypoint> {
        let supervisors = supervisors.clone();
        let catalogue = self.catalogue.clone();
        let resolve = move |app: &str| -> Option<Rc<dyn Entrypoint>> {
            catalogue.contains(app).then(|| supervisors.entrypoint(app))
        };
        Rc::new(Public::new(Router::new(&self.base_domain), resolve))
    }
}

/// What one shard serves with.
struct Share {
    cordon: Cordon,
    listener: Option<Listener>,
    channel: Option<UnixDatagram>,
    admin: Option<Arc<AdminPlan>>,
    /// Told once the first shard has started.
    ready: Option<oneshot::Sender<Result<(), String>>>,
}

async fn serve_shard(
    shard: Rc<Shard>,
    stopping: watch::Receiver<bool>,
    share: Share,
    http: HttpLimits,
) -> Result<(), String> {
    let Share { cordon, listener, channel, admin, ready } = share;
    if let Some(ready) = ready {
        let started = shard.start_configured().map_err(|error| with_hint(&error));
        let is_started = started.is_ok();
        // The main thread may have given up waiting.
        let _ = ready.send(started);
        if !is_started {
            return Ok(());
        }
    }
    if let (Cordon::Quarantine, Some(channel)) = (cordon, channel.as_ref()) {
        let supervisors = Supervisors::new(shard, None);
        let intake = Intake::new(channel.try_clone().map_err(|error| error.to_string())?);
        let resolve = move |purpose: &str| supervisors.serve(purpose);
        let served = intake.serve(resolve, &http, stopped(stopping)).await;
        return served.map_err(|error| error.to_string());
    }
    let Some(listener) = listener else { return Ok(()) };
    let handover = channel.map(Handover::new).transpose().map_err(|error| error.to_string())?;
    let supervisors = Supervisors::new(Rc::clone(&shard), handover);
    let public: Rc<dyn Entrypoint> = match &admin {
        Some(admin) => admin.public(&supervisors),
        None => Rc::new(MainStub::new(Rc::clone(&shard))),
    };
    let serving = listener.serve(public, &http, stopped(stopping.clone()));
    let admin_listener = admin.as_ref().filter(|_| shard.index() == 0).and_then(|admin| {
        let listener = admin.listener.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some((listener, Rc::new(admin.entrypoint(&shard, &supervisors))))
    });
    let outcome = match admin_listener {
        None => serving.await,
        Some((listener, entrypoint)) => {
            let http = HttpLimits { body_bytes_max: BODY_BYTES_MAX, ..http.clone() };
            let administering = listener.serve(entrypoint, &http, stopped(stopping));
            let (public, admin) = tokio::join!(serving, administering);
            public.and(admin)
        }
    };
    outcome.map_err(|error| error.to_string())
}

/// What kept the worker from starting; a package that nobody bundled gets a word on how to.
fn with_hint(error: &Error) -> String {
    let is_package = match error {
        Error::AppStart(error) => {
            let name = error.message.strip_prefix("No such module \"").unwrap_or(".");
            error.stage == StartStage::Link && !name.starts_with(['.', '/']) && !name.contains(':')
        }
        _ => false,
    };
    let hint = "\n  npm packages must be bundled first: `wrangler deploy --dry-run --outdir dist`, \
                then `beryl run wrangler.jsonc --bundle dist`";
    format!("{error}{}", if is_package { hint } else { "" })
}

/// Ends when the process should stop.
pub async fn stopped(mut stopping: watch::Receiver<bool>) {
    // A sender that is gone means that the process ends.
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// The worker that a script is.
///
/// # Errors
/// Why it cannot be one.
pub fn script(run: &Run) -> Result<WorkerCode, Failure> {
    let bundle = check_bundle(run.main.clone(), run.modules.clone())?;
    let vars = run.vars.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
    let env = Env::Configured(Arc::new(Bindings::unconfigured(vars)));
    let (outbound, name) = (Outbound::Internet, run.main.as_str().into());
    let (compatibility, node) = (run.compatibility, run.compatibility.node());
    let code = WorkerCode::new(Arc::new(bundle), env, outbound, name);
    Ok(WorkerCode { compatibility, node, ..code })
}

fn app_runner() -> Result<WorkerCode, Failure> {
    let main = "app_runner.js".to_string();
    let modules = BTreeMap::from([(main.clone(), Module::Js(ops::APP_RUNNER.into()))]);
    let bundle = Arc::new(check_bundle(main, modules)?);
    let env = Env::Configured(Arc::new(Bindings::unconfigured(serde_json::Map::new())));
    let code = WorkerCode::new(bundle, env, Outbound::Denied, "app_runner".into());
    Ok(WorkerCode { node: NodeCompat::None, ..code })
}

/// What the open files of the process allow every shard: three for each actor, as many again for
/// connections and what is just being opened.
fn actors_max(shards: usize) -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let default = Limits::default().actors_max;
    usize::try_from(files / 4).unwrap_or(usize::MAX).div_ceil(shards).min(default)
}

/// Two files per database and one per connection soon pass the usual 1,024.
pub fn raise_open_files_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// Milliseconds since the epoch.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

static SNAPSHOT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/beryl.snapshot"));
static LAZY_SCRIPTS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/lazy_scripts.rs"));
/// A first app to submit.
const EXAMPLE: &str =
    r#"export default { fetch() { return new Response("Hello from my app\n") } }"#;
/// The exit code of a process that served and then failed, unlike one that could not start.
pub const STOPPED_SERVING: u8 = 3;
/// Enough for a disk to order writes of several databases among each other.
pub const SYNC_THREADS: usize = 4;
