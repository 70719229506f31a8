//! The workloads: what is started, what is asked, which numbers come out.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::objects::{self, Crowd};
use crate::report::{Goal, Metric, Sample, median, percentile};
use crate::server::{App, Server, Side, root};
use crate::stream::{self, Source};
use crate::{load, loads};

const HELLO: App = App { worker: "test_apps/hello/worker.js", stateful: false };
const APP_RUNNER: App = App { worker: "test_apps/app-runner/worker.js", stateful: true };
const SQL: App = App { worker: "test_apps/sql-bench/worker.js", stateful: true };
const ECHO: App = App { worker: "bench/workers/echo.js", stateful: false };
const PROXY: App = App { worker: "bench/workers/proxy.js", stateful: false };
const COMMITS: App = App { worker: "bench/workers/commits.js", stateful: true };
pub(crate) const COLD: App = App { worker: "bench/workers/cold.js", stateful: false };
pub(crate) const RESIDENT: App = App { worker: "bench/workers/resident.js", stateful: true };

/// How much of everything.
pub struct Plan {
    /// Alternating rounds of each workload.
    pub rounds: usize,
    seconds: u32,
    proxied_bytes: u64,
    pub(crate) repeats: usize,
    cold_loads: usize,
    pub(crate) bundles: usize,
    pub(crate) sustained_loads: u64,
    apps: &'static [usize],
    starts: usize,
    crowd: Crowd,
}

impl Plan {
    /// For figures that are written down.
    pub fn full() -> Plan {
        let apps = &[200, 1000];
        Plan {
            rounds: 3,
            seconds: 5,
            proxied_bytes: 1 << 30,
            repeats: 5,
            cold_loads: 500,
            bundles: 50,
            sustained_loads: 20_000,
            apps,
            starts: 10,
            crowd: Crowd {
                alarms: 10_000,
                ahead: Duration::from_secs(90),
                facets: 500,
                objects: 100_000,
            },
        }
    }

    /// To see that all works.
    pub fn quick() -> Plan {
        Plan {
            rounds: 1,
            seconds: 2,
            proxied_bytes: 1 << 30,
            repeats: 2,
            cold_loads: 50,
            bundles: 5,
            sustained_loads: 1_000,
            apps: &[50],
            starts: 3,
            crowd: Crowd {
                alarms: 500,
                ahead: Duration::from_secs(15),
                facets: 50,
                objects: 5_000,
            },
        }
    }
}

/// One kind of work; the names are in the usage text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// A constant answer.
    Hello,
    /// A JSON body sent back.
    Echo,
    /// A large body handed on.
    Proxy,
    /// A durable counter in a facet.
    Counter,
    /// SQL in a loop.
    Sql,
    /// Durable commits.
    Commits,
    /// Calls in a loop.
    Calls,
    /// Alarms that come together.
    Alarms,
    /// Echo over WebSockets.
    Sockets,
    /// What sleeps, and wakes up.
    Sleep,
    /// Calls with objects.
    Rpc,
    /// New dynamic workers.
    Cold,
    /// Dynamic workers that were seen before.
    Bundle,
    /// New dynamic workers without a pause.
    Sustained,
    /// Resident apps.
    Memory,
    /// New processes.
    Startup,
}

impl Workload {
    /// In the order they run.
    pub const ALL: [Workload; 16] = [
        Workload::Hello,
        Workload::Echo,
        Workload::Proxy,
        Workload::Counter,
        Workload::Sql,
        Workload::Commits,
        Workload::Calls,
        Workload::Alarms,
        Workload::Sockets,
        Workload::Sleep,
        Workload::Rpc,
        Workload::Cold,
        Workload::Bundle,
        Workload::Sustained,
        Workload::Memory,
        Workload::Startup,
    ];

    /// The workload of that name.
    pub fn named(name: &str) -> Option<Workload> {
        Workload::ALL.into_iter().find(|workload| workload.name() == name)
    }

    /// As typed and printed.
    pub fn name(self) -> &'static str {
        match self {
            Workload::Hello => "hello",
            Workload::Echo => "echo",
            Workload::Proxy => "proxy",
            Workload::Counter => "counter",
            Workload::Sql => "sql",
            Workload::Commits => "commits",
            Workload::Calls => "calls",
            Workload::Alarms => "alarms",
            Workload::Sockets => "sockets",
            Workload::Sleep => "sleep",
            Workload::Rpc => "rpc",
            Workload::Cold => "cold",
            Workload::Bundle => "bundle",
            Workload::Sustained => "sustained",
            Workload::Memory => "memory",
            Workload::Startup => "startup",
        }
    }

    /// True if `side` has what the workload uses.
    pub fn suits(self, side: Side) -> bool {
        match side {
            Side::Beryl | Side::Workerd => true,
            Side::Deno => matches!(self, Workload::Hello | Workload::Echo),
            Side::Node => self == Workload::Sql,
        }
    }

    /// How often each side takes its turn. What is steady and slow: once.
    pub fn rounds(self, plan: &Plan) -> usize {
        match self {
            Workload::Memory | Workload::Alarms | Workload::Sleep | Workload::Sustained => 1,
            Workload::Startup => plan.starts,
            _ => plan.rounds,
        }
    }

    /// Runs one turn of `side`.
    pub fn run(self, side: Side, plan: &Plan) -> Result<Vec<Sample>, String> {
        match self {
            Workload::Hello => hello(side, plan),
            Workload::Echo => echo(side, plan),
            Workload::Proxy => proxy(side, plan),
            Workload::Counter => counter(side, plan),
            Workload::Sql => sql(side, plan),
            Workload::Commits => commits(side, plan),
            Workload::Calls => calls(side, plan),
            Workload::Alarms => objects::alarms(side, &plan.crowd),
            Workload::Sockets => objects::sockets(side, plan.seconds),
            Workload::Sleep => objects::sleep(side, &plan.crowd),
            Workload::Rpc => loads::rpc(side, plan),
            Workload::Cold => cold(side, plan),
            Workload::Bundle => loads::bundle(side, plan),
            Workload::Sustained => loads::sustained(side, plan),
            Workload::Memory => memory(side, plan),
            Workload::Startup => startup(side),
        }
    }
}

fn hello(side: Side, plan: &Plan) -> Result<Vec<Sample>, String> {
    let server = Server::start(side, &HELLO)?;
    let steps = [(1, Goal::None), (8, Goal::None), (64, Goal::RatioAtLeast(8.0))];
    loaded(&server, plan, &steps, None)
}

fn echo(side: Side, plan: &Plan) -> Result<Vec<Sample>, String> {
    let server = Server::start(side, &ECHO)?;
    let script = root().join("bench/workers/echo.lua");
    loaded(&server, plan, &[(1, Goal::None), (64, Goal::RatioAtLeast(4.0))], Some(&script))
}

fn proxy(side: Side, plan: &Plan) -> Result<Vec<Sample>, String> {
    let source = Source::start(plan.proxied_bytes)?;
    let server = Server::start(side, &PROXY)?;
    let path = format!("/?from=http://{}/", source.address);
    stream::download(server.address, &path, || 0)?; // Opens the connection and compiles.
    let before = server.resident_bytes();
    let got = stream::download(server.address, &path, || server.resident_bytes())?;
    let rate = plan.proxied_bytes as f64 / got.took.as_secs_f64() / 1e6;
    let grown = got.peak_bytes.saturating_sub(before) as f64 / 1e6;
    Ok(vec![
        Metric::rate("1 GB", "MB/s", Goal::RatioAtLeast(1.0)).sample(rate),
        Metric::cost("RSS grows by", "MB", Goal::ValueAtMost(32.0)).sample(grown),
    ])
}

fn counter(side: Side, plan: &Plan) -> Result<Vec<Sample>, String> {
    let server = Server::start(side, &APP_RUNNER)?;
    let mut client = Client::connect(server.address)?;
    let before = counted(&client.get("/")?.body)?;
    let steps = [(1, Goal::None), (64, Goal::RatioAtLeast(6.0))];
    let samples = loaded(&server, plan, &steps, None)?;
    let after = counted(&client.get("/")?.body)?;
    let answers: f64 = samples.iter().filter(|s| s.metric.unit == "answers").map(|s| s.value).sum();
    if after - before <= answers {
        return Err(format!("{answers} answers, but the counter went from {before} to {after}"));
    }
    Ok(samples)
}

/// The number in "You've made 12 requests."
fn counted(body: &str) -> Result<f64, String> {
    let number = body.split(' ').nth(2).and_then(|word| word.parse().ok());
    number.ok_or_else(|| format!("not an answer of the counter: {body}"))
}

/// Rates and latencies at several numbers of connections, after a warm-up of one second each.
fn loaded(
    server: &Server,
    plan: &Plan,
    steps: &[(u32, Goal)],
    script: Option<&Path>,
) -> Result<Vec<Sample>, String> {
    let mut samples = Vec::new();
    for (connections, goal) in steps {
        let warm_up = load::run((server.address, "/"), *connections, 1, script)?;
        let load = load::run((server.address, "/"), *connections, plan.seconds, script)?;
        let at = |name: &str| format!("{name} at {connections}");
        samples.push(Metric::rate(&at("rps"), "/s", *goal).sample(load.rate));
        samples.push(Metric::cost(&at("p50"), "ms", Goal::None).sample(load.p50_ms));
        samples.push(Metric::cost(&at("p99"), "ms", Goal::None).sample(load.p99_ms));
        let answers = load.answers + warm_up.answers;
        samples.push(Metric::raw(&at("answers"), "answers").sample(answers as f64));
    }
    Ok(samples)
}

fn sql(side: Side, plan: &Plan) -> Result<Vec<Sample>, String> {
    let server = Server::start(side, &SQL)?;
    let mut client = Client::connect(server.address)?;
    let goal = Goal::RatioAtLeast;
    let mut rate = |path, n| loop_rate(&mut client, path, n, plan.repeats);
    Ok(vec![
        Metric::rate("inserts", "/s", goal(4.0)).sample(rate("inserts", 20_000)?),
        Metric::rate("point reads", "/s", goal(3.0)).sample(rate("reads", 20_000)?),
        Metric::rate("rows by toArray", "/s", goal(2.5)).sample(rate("rows", 200)? * 1000.0),
    ])
}

/// Every answer is a commit that is on disk; all of them must be there afterwards.
fn commits(side: Side, plan: &Plan) -> Result<Vec<Sample>, String> {
    let server = Server::start(side, &COMMITS)?;
    let mut samples = Vec::new();
    let mut answers = 0;
    for (path, name, goal) in [("/one", "on one object", 8.0), ("/many", "over 64 objects", 5.0)] {
        let warm_up = load::run((server.address, path), 64, 1, None)?;
        let load = load::run((server.address, path), 64, plan.seconds, None)?;
        answers += warm_up.answers + load.answers;
        let rate = Metric::rate(&format!("commits {name}"), "/s", Goal::RatioAtLeast(goal));
        samples.push(rate.sample(load.rate));
        let p99 = Metric::cost(&format!("p99 {name}"), "ms", Goal::None);
        samples.push(p99.sample(load.p99_ms));
    }
    let rows = Client::connect(server.address)?.get("/rows")?.body;
    match rows.parse::<u64>() {
        Ok(rows) if rows >= answers => Ok(samples),
        _ => Err(format!("{answers} answers, but there are {rows} rows")),
    }
}

fn calls(side: Side, plan: &Plan) -> Result<Vec<Sample>, String> {
    let server = Server::start(side, &SQL)?;
    let mut client = Client::connect(server.address)?;
    let rate = loop_rate(&mut client, "calls", 4_000, plan.repeats)?;
    Ok(vec![
        Metric::rate("facet calls", "/s", Goal::RatioAtLeast(6.0)).sample(rate),
        Metric::cost("a call", "µs", Goal::ValueAtMost(25.0)).sample(1e6 / rate),
    ])
}

/// Turns of a loop per second inside one request; what a request with one turn takes is taken off.
pub(crate) fn loop_rate(
    client: &mut Client,
    path: &str,
    n: u32,
    repeats: usize,
) -> Result<f64, String> {
    let mut timed = |n: u32, times: usize| -> Result<f64, String> {
        let target = format!("/{path}?n={n}");
        let took: Result<Vec<f64>, String> =
            (0..times).map(|_| Ok(client.get(&target)?.took.as_secs_f64())).collect();
        Ok(median(&took?))
    };
    timed(n, 2)?; // Compiles the loop.
    let (one, all) = (timed(1, 2 * repeats)?, timed(n, repeats)?);
    Ok(f64::from(n - 1) / (all - one).max(1e-9))
}

fn cold(side: Side, plan: &Plan) -> Result<Vec<Sample>, String> {
    let server = Server::start(side, &COLD)?;
    let mut client = Client::connect(server.address)?;
    let mut timed = |id: &str| Ok::<f64, String>(millis(client.get(&format!("/?id={id}"))?.took));
    let idle: Result<Vec<f64>, String> = (0..200).map(|_| timed("none")).collect();
    let idle = median(&idle?);
    let loads: Result<Vec<f64>, String> =
        (1..=plan.cold_loads).map(|id| timed(&id.to_string())).collect();
    let loads = loads?;
    // As new apps come to a host that is not swamped: with time between two of them.
    let paced: Result<Vec<f64>, String> = (1..=plan.cold_loads)
        .map(|id| {
            let next = Instant::now() + COLD_PAUSE;
            let took = timed(&(PACED_IDS + id).to_string())?;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            Ok(took)
        })
        .collect();
    let paced = paced?;
    let cost = |name, goal, value: f64| Metric::cost(name, "ms", goal).sample(value - idle);
    Ok(vec![
        cost("load p50", Goal::RatioAtMost(0.8), percentile(&loads, 50.0)),
        cost("load p99", Goal::None, percentile(&loads, 99.0)),
        cost("load p50 at 50/s", Goal::RatioAtMost(0.25), percentile(&paced, 50.0)),
        cost("load p99 at 50/s", Goal::None, percentile(&paced, 99.0)),
        Metric::raw("p50 without a load", "ms").sample(idle),
    ])
}

fn memory(side: Side, plan: &Plan) -> Result<Vec<Sample>, String> {
    let server = Server::start(side, &APP_RUNNER)?;
    let mut client = Client::connect(server.address)?;
    let empty = server.resident_bytes() as f64;
    let (mut samples, mut first_answers, mut apps) = (Vec::new(), Vec::new(), 0);
    samples.push(Metric::cost("RSS at start", "MB", Goal::None).sample(empty / 1e6));
    for target in plan.apps {
        while apps < *target {
            first_answers.push(create_app(&mut client, apps)?);
            apps += 1;
            if apps.is_multiple_of(KEEP_AWAKE_EVERY) {
                touch_all(&mut client, apps)?;
            }
        }
        touch_all(&mut client, apps)?;
        let each = (server.resident_bytes() as f64 - empty) / apps as f64 / 1e6;
        let name = format!("RSS per app at {apps}");
        samples.push(Metric::cost(&name, "MB", Goal::ValueAtMost(4.5)).sample(each));
    }
    let answer =
        |name, p| Metric::cost(name, "ms", Goal::None).sample(percentile(&first_answers, p));
    samples.push(answer("new app p50", 50.0));
    samples.push(answer("new app p99", 99.0));
    drop(server);
    samples.push(resident_facets(side, apps)?);
    Ok(samples)
}

/// The same without supervisors: all facets belong to one.
fn resident_facets(side: Side, facets: usize) -> Result<Sample, String> {
    let server = Server::start(side, &RESIDENT)?;
    let mut client = Client::connect(server.address)?;
    let mut ask = |facet: usize| client.get(&format!("/?id={facet}")).map(|answer| answer.body);
    ask(0)?;
    let empty = server.resident_bytes() as f64;
    for facet in 1..=facets {
        let answer = ask(facet)?;
        if answer != format!("app {facet} made 1 requests\n") {
            return Err(format!("facet {facet} answers {answer}"));
        }
    }
    let each = (server.resident_bytes() as f64 - empty) / facets as f64 / 1e6;
    let name = format!("RSS per facet at {facets}");
    Ok(Metric::cost(&name, "MB", Goal::ValueAtMost(2.2)).sample(each))
}

/// Submits an app with code of its own; returns how long its first answer took, in milliseconds.
fn create_app(client: &mut Client, app: usize) -> Result<f64, String> {
    let code = format!(
        r#"import {{ DurableObject }} from "cloudflare:workers";
const APP = {app};
export class App extends DurableObject {{
  fetch(request) {{
    const counter = (this.ctx.storage.kv.get("counter") ?? 0) + 1;
    this.ctx.storage.kv.put("counter", counter);
    return new Response(`app ${{APP}} made ${{counter}} requests\n`);
  }}
}}
"#
    );
    client.put(&format!("/?app=app-{app}"), &code)?;
    let answer = client.get(&format!("/?app=app-{app}"))?;
    if answer.body != format!("app {app} made 1 requests\n") {
        return Err(format!("app {app} answers {}", answer.body));
    }
    Ok(millis(answer.took))
}

/// Asks every app once: runtimes drop what is idle for ten seconds.
fn touch_all(client: &mut Client, apps: usize) -> Result<(), String> {
    (0..apps).try_for_each(|app| client.get(&format!("/?app=app-{app}")).map(drop))
}

fn startup(side: Side) -> Result<Vec<Sample>, String> {
    let started = std::time::Instant::now();
    let server = Server::start(side, &HELLO)?;
    Client::connect(server.address)?.get("/")?;
    let answered = millis(started.elapsed());
    let goal = Goal::ValueAtMost(100.0);
    Ok(vec![
        Metric::cost("accepts", "ms", goal).sample(millis(server.accepted_after)),
        Metric::cost("first answer", "ms", Goal::None).sample(answered),
    ])
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

const KEEP_AWAKE_EVERY: usize = 100;
/// Between two loads that do not come back to back.
const COLD_PAUSE: Duration = Duration::from_millis(20);
/// Numbers of workers that no other load used.
const PACED_IDS: usize = 1_000_000;
