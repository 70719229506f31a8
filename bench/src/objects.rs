//! Workloads of objects and facets: alarms that come together, sockets, sleep and waking up.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::client::Client;
use crate::report::{Goal, Metric, Sample, percentile};
use crate::server::{App, Server, Side};
use crate::socket;
use crate::workload::RESIDENT;

const ALARMS: App = App { worker: "bench/workers/alarms.js", stateful: true };
const SOCKETS: App = App { worker: "bench/workers/sockets.js", stateful: true };
const OBJECTS: App = App { worker: "bench/workers/objects.js", stateful: true };

/// How much of everything.
pub struct Crowd {
    /// Alarms that are due within one second.
    pub alarms: usize,
    /// How long before their time the first of them is set.
    pub ahead: Duration,
    /// Facets that sleep and wake up.
    pub facets: usize,
    /// Objects that were used once.
    pub objects: usize,
}

/// All alarms must come, none before its time; how late they come is measured in the handler.
pub fn alarms(side: Side, crowd: &Crowd) -> Result<Vec<Sample>, String> {
    let server = Server::start(side, &ALARMS)?;
    let mut client = Client::connect(server.address)?;
    let due = now() + crowd.ahead;
    let (at, of) = (due.as_millis(), crowd.alarms);
    let began = Instant::now();
    for from in (0..of).step_by(BATCH) {
        let to = of.min(from + BATCH);
        client.get(&format!("/arm?from={from}&to={to}&at={at}&of={of}"))?;
    }
    let armed = began.elapsed().as_secs_f64();
    let left = due.checked_sub(now()).ok_or("alarms are due before all of them are set")?;
    thread::sleep(left + Duration::from_secs(1));
    let patience = Instant::now() + PATIENCE;
    let (mut late, mut twice) = late(&client.get("/late")?.body)?;
    while late.len() < of && Instant::now() < patience {
        thread::sleep(Duration::from_millis(500));
        (late, twice) = self::late(&client.get("/late")?.body)?;
    }
    let early = late.iter().filter(|late| **late < 0.0).count() as f64;
    let missed = (of - late.len().min(of)) as f64;
    let cost = |name, unit, goal, value| Metric::cost(name, unit, goal).sample(value);
    Ok(vec![
        Metric::rate("alarms set", "/s", Goal::None).sample(of as f64 / armed),
        cost("late p50", "ms", Goal::None, percentile(&late, 50.0)),
        cost("late p99", "ms", Goal::ValueAtMost(1000.0), percentile(&late, 99.0)),
        cost("late at most", "ms", Goal::None, percentile(&late, 100.0)),
        cost("missed", "alarms", Goal::ValueAtMost(0.0), missed),
        cost("early", "alarms", Goal::ValueAtMost(0.0), early),
        cost("twice", "alarms", Goal::None, twice),
    ])
}

/// `{"late":[1,2],"twice":0}`.
fn late(body: &str) -> Result<(Vec<f64>, f64), String> {
    let parsed = || {
        let rest = body.strip_prefix("{\"late\":[")?;
        let (late, rest) = rest.split_once("],\"twice\":")?;
        let twice = rest.strip_suffix('}')?.parse().ok()?;
        let late = late.split(',').filter(|number| !number.is_empty());
        let late: Option<Vec<f64>> = late.map(|number| number.parse().ok()).collect();
        Some((late?, twice))
    };
    parsed().ok_or_else(|| format!("not a list of alarms: {body}"))
}

/// Messages of 32 bytes that come back, over 64 connections.
pub fn sockets(side: Side, seconds: u32) -> Result<Vec<Sample>, String> {
    let server = Server::start(side, &SOCKETS)?;
    let time = Duration::from_secs(seconds.into());
    let rate = |path| socket::echoes(server.address, path, SOCKETS_OPEN, time);
    let goal = Goal::RatioAtLeast(1.5);
    Ok(vec![
        Metric::rate("accept() echoes", "/s", goal).sample(rate("/plain")?),
        Metric::rate("hibernatable echoes", "/s", goal).sample(rate("/hibernatable")?),
    ])
}

/// What facets leave behind that went to sleep, how fast they wake up, and what objects cost that
/// nobody uses any more.
pub fn sleep(side: Side, crowd: &Crowd) -> Result<Vec<Sample>, String> {
    let mut samples = facets_asleep(side, crowd.facets)?;
    samples.extend(objects_asleep(side, crowd.objects)?);
    Ok(samples)
}

fn facets_asleep(side: Side, facets: usize) -> Result<Vec<Sample>, String> {
    let server = Server::start(side, &RESIDENT)?;
    let mut client = Client::connect(server.address)?;
    let mut ask = |facet: usize| client.get(&format!("/?id={facet}"));
    // So that the process has what it always needs.
    for facet in 0..10 {
        ask(facet)?;
    }
    let megabytes = || server.resident_bytes() as f64 / 1e6;
    let start = megabytes();
    for facet in 0..facets {
        ask(facet)?;
    }
    let awake = megabytes();
    thread::sleep(ASLEEP_AFTER);
    let asleep = megabytes();
    let mut woken = Vec::new();
    for facet in 0..facets {
        let took = ask(facet)?.took.as_secs_f64() * 1000.0;
        woken.push(took);
        thread::sleep(BETWEEN_WAKES);
    }
    let mut again = Vec::new();
    for facet in facets.saturating_sub(20)..facets {
        again.push(ask(facet)?.took.as_secs_f64() * 1000.0);
    }
    let cost = |name, unit, goal, value| Metric::cost(name, unit, goal).sample(value);
    Ok(vec![
        cost("RSS at start", "MB", Goal::None, start),
        cost("RSS awake", "MB", Goal::None, awake),
        cost("RSS after 30 s", "MB", Goal::ValueAtMost(start * 1.1), asleep),
        cost("wake p50", "ms", Goal::ValueAtMost(2.0), percentile(&woken, 50.0)),
        cost("wake p99", "ms", Goal::None, percentile(&woken, 99.0)),
        cost("awake p50", "ms", Goal::None, percentile(&again, 50.0)),
    ])
}

fn objects_asleep(side: Side, objects: usize) -> Result<Vec<Sample>, String> {
    let server = Server::start(side, &OBJECTS)?;
    let mut client = Client::connect(server.address)?;
    let mut touch = |from: usize, to: usize| -> Result<(), String> {
        for from in (from..to).step_by(BATCH) {
            client.get(&format!("/touch?from={from}&to={}", to.min(from + BATCH)))?;
        }
        Ok(())
    };
    // As many at a time as there are in the end: what the heap keeps is not the objects' own.
    touch(0, objects / 10)?;
    thread::sleep(FORGOTTEN_AFTER);
    let before = server.resident_bytes() as f64;
    touch(objects / 10, objects)?;
    let awake = server.resident_bytes() as f64;
    thread::sleep(FORGOTTEN_AFTER);
    let after = server.resident_bytes() as f64;
    let each = |bytes: f64| (bytes - before) / 1024.0 / (objects as f64 * 0.9);
    let cost = |name, goal, value| Metric::cost(name, "KB", goal).sample(value);
    Ok(vec![
        cost("per object, used", Goal::None, each(awake)),
        cost("per object, asleep", Goal::ValueAtMost(1.0), each(after)),
    ])
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Objects that one request asks.
const BATCH: usize = 200;
/// How long all alarms are waited for.
const PATIENCE: Duration = Duration::from_secs(60);
const SOCKETS_OPEN: usize = 64;
/// What the goal for memory allows.
const ASLEEP_AFTER: Duration = Duration::from_secs(30);
/// Places of objects are forgotten after 70 seconds.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(85);
const BETWEEN_WAKES: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_the_alarms_worker_are_read() {
        assert_eq!(late(r#"{"late":[],"twice":0}"#), Ok((vec![], 0.0)));
        assert_eq!(late(r#"{"late":[3,-1],"twice":2}"#), Ok((vec![3.0, -1.0], 2.0)));
        assert!(late("{}").is_err());
    }
}
