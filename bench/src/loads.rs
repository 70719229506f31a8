//! Workloads of RPC and of the loader: calls with an object of 1 KB, bundles that were seen before,
//! and loads without a pause on all cores.

use crate::client::Client;
use crate::load;
use crate::report::{Goal, Metric, Sample, median};
use crate::server::{App, Server, Side};
use crate::workload::{COLD, Plan, loop_rate, millis};

const RPC: App = App { worker: "bench/workers/rpc.js", stateful: true };

/// Calls with an object of 1 KB as argument and as result.
pub fn rpc(side: Side, plan: &Plan) -> Result<Vec<Sample>, String> {
    let server = Server::start(side, &RPC)?;
    let mut client = Client::connect(server.address)?;
    let mut samples = Vec::new();
    for callee in ["entrypoint", "object", "loaded"] {
        let rate = loop_rate(&mut client, callee, 5_000, plan.repeats)?;
        let name = format!("1 KB to {callee}");
        samples.push(Metric::rate(&name, "/s", Goal::RatioAtLeast(5.0)).sample(rate));
    }
    Ok(samples)
}

/// A bundle of 1 MB that was loaded a few times before, each time into a new isolate.
pub fn bundle(side: Side, plan: &Plan) -> Result<Vec<Sample>, String> {
    let server = Server::start(side, &COLD)?;
    let mut client = Client::connect(server.address)?;
    let mut timed = |id: &str| Ok::<f64, String>(millis(client.get(&format!("/?id={id}"))?.took));
    let idle: Result<Vec<f64>, String> = (0..200).map(|_| timed("none")).collect();
    let idle = median(&idle?);
    for _ in 0..SEEN {
        timed("bundle")?;
    }
    let loads: Result<Vec<f64>, String> = (0..plan.bundles).map(|_| timed("bundle")).collect();
    let p50 = median(&loads?) - idle;
    Ok(vec![Metric::cost("1 MB seen before p50", "ms", Goal::RatioAtMost(0.3)).sample(p50)])
}

/// Never-seen workers, one after the other on each of 16 connections, with all cores.
pub fn sustained(side: Side, plan: &Plan) -> Result<Vec<Sample>, String> {
    let server = Server::start_on_all_cores(side, &COLD)?;
    let target = (server.address, "/?id=fresh");
    // What is there after a tenth is what a process that loads has.
    let (mut loads, mut seconds, mut settled) = (0, 0, 0);
    while loads < plan.sustained_loads {
        loads += load::run_anywhere(target, CONNECTIONS, 1)?.answers;
        seconds += 1;
        if loads < plan.sustained_loads / 10 || settled == 0 {
            settled = server.resident_bytes();
        }
    }
    let grown = server.resident_bytes().saturating_sub(settled) as f64 / 1e6;
    let rate = loads as f64 / f64::from(seconds);
    Ok(vec![
        Metric::rate("loads on all cores", "/s", Goal::RatioAtLeast(1.5)).sample(rate),
        Metric::cost("RSS grows by", "MB", Goal::ValueAtMost(GROWN_MB)).sample(grown),
        Metric::raw("loads", "loads").sample(loads as f64),
    ])
}

/// Loads after which code is in the cache.
const SEEN: usize = 3;
const CONNECTIONS: u32 = 16;
/// What an allocator may keep more or less of between two looks.
const GROWN_MB: f64 = 64.0;
