//! Code and clients that attack: each attack of `test_apps/hostile/` ends as its file says, the
//! process goes on unless the file says otherwise, and neighbours are served before and after it.
//!
//! The quick run leaves the slow ones out. With `BERYL_TORTURE` all run, while neighbours are
//! asked without a pause and none of their requests may fail.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

#[path = "hostile/catalogue.rs"]
mod catalogue;
mod server;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use catalogue::{Attack, Wire, is_torture, text};
use serde_json::{Value, json};
use server::client::{Answer, Ask};
use server::{Server, wait_for};
use tempfile::{TempDir, tempdir};

const CALM: &str = "export default { fetch() { return new Response('hello') } }";

#[test]
fn attacks_on_time_end_as_they_must() {
    check("cpu", "100");
}

#[test]
fn attacks_on_memory_end_as_they_must() {
    // Enough time to fill the memory.
    check("memory", "1000");
}

#[test]
fn attacks_on_the_runtime_from_within_end_as_they_must() {
    check("code", "200");
    check("api", "200");
}

#[test]
fn attacks_on_storage_and_facets_end_as_they_must() {
    check("storage", "200");
    check("facets", "200");
}

#[test]
fn attacks_by_loaded_workers_and_on_the_network_end_as_they_must() {
    run_loaded(&[Attack::all("loader"), Attack::all("network")].concat());
}

/// One `while (true)` in a loaded worker stopped a whole instance until its restart.
#[test]
fn open_compute_67_a_loop_in_a_loaded_worker_stops_nobody_else() {
    run_loaded(&[Attack::find("loader", "a01_child_loops")]);
}

/// Loaded workers reached state of the process that they had in common.
#[test]
fn celld_192_workers_loaded_into_one_process_share_no_state() {
    let attacks = [Attack::find("loader", "c13_state_of_others")];
    run_loaded(&[&attacks[..], &[Attack::find("loader", "e15_rooms_of_others")]].concat());
}

/// A tenant's `fetch()` reached the operator's API on loopback.
#[test]
fn celld_220_code_cannot_reach_the_operators_listeners() {
    let attacks = [Attack::find("network", "j01_operator")];
    run_loaded(&[&attacks[..], &[Attack::find("network", "f01_loopback")]].concat());
}

#[test]
fn attacks_over_the_wire_end_as_they_must() {
    let lane = Lane::new(CPU_MS);
    let findings = Wire::all().into_iter().filter_map(|wire| {
        let port = if wire.is_for_admin { lane.server.admin_port } else { lane.server.port };
        let outcome = first_status(port, &wire.bytes);
        let is_right = wire.expect.contains(&outcome) && lane.is_calm();
        (!is_right).then(|| format!("{}: {outcome}, must be {}", wire.name, wire.expect.join("/")))
    });
    report(findings.collect());
}

/// Runs attacks in a worker that may load others and reach the network.
fn run_loaded(attacks: &[Attack]) {
    let folder = tempdir().unwrap();
    let mut list = String::new();
    for attack in attacks {
        fs::write(folder.path().join(format!("{}.js", attack.name)), &attack.source).unwrap();
        list += &format!("import {0} from \"./{0}.js\";\n", attack.name);
    }
    let names: Vec<&str> = attacks.iter().map(|attack| attack.name.as_str()).collect();
    list += &format!("export const attacks = {{ {} }};\n", names.join(", "));
    fs::write(folder.path().join("attacks.js"), list).unwrap();
    let script = folder.path().join("runner.js");
    fs::write(&script, text("runner.js")).unwrap();
    let data = tempdir().unwrap();
    let server = Server::run(&script, data.path(), 2, &["--cpu-ms", CPU_MS]);
    let findings = attacks.iter().filter_map(|attack| {
        let answer = server.try_ask(&Ask::get(&format!("/{}", attack.name)).host("localhost"));
        let outcome = answer.map_or_else(|error| error.to_string(), |answer| describe(&answer));
        let after = server.try_ask(&Ask::get("/"));
        let is_well = after.as_ref().is_ok_and(|answer| answer.text() == "fine");
        let is_right = is_well && attack.may_end_in(&outcome);
        (!is_right).then(|| finding(attack, &outcome, &format!("then {after:?}")))
    });
    report(findings.collect());
}

/// Runs the attacks of a group, several at a time on servers of their own.
fn check(group: &str, cpu_ms: &str) {
    let attacks = Mutex::new(Attack::all(group).into_iter());
    let findings = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                let lane = Lane::new(cpu_ms);
                loop {
                    let next = attacks.lock().unwrap().next();
                    let Some(attack) = next else { return };
                    findings.lock().unwrap().extend(lane.run(&attack));
                }
            });
        }
    });
    report(findings.into_inner().unwrap());
}

/// A server for one attack after the other, and the app that must not notice.
struct Lane {
    _data: TempDir,
    server: Server,
}

impl Lane {
    fn new(cpu_ms: &str) -> Lane {
        let data = tempdir().unwrap();
        let limits = ["--cpu-ms", cpu_ms, "--shards", "2", "--storage-bytes", "50000000"];
        let server = Server::serve(data.path(), &limits);
        let lane = Lane { _data: data, server };
        assert_eq!(lane.server.deploy("calm", CALM).status, 201);
        lane
    }

    /// What is wrong with how an attack ended.
    fn run(&self, attack: &Attack) -> Option<String> {
        let deaths = self.deaths();
        let over = AtomicBool::new(false);
        let (outcome, failed) = thread::scope(|scope| {
            let neighbours = is_torture().then(|| scope.spawn(|| self.ask_until(&over)));
            let outcome = self.attack(attack, deaths);
            over.store(true, Ordering::Relaxed);
            (outcome, neighbours.map_or(0, |asking| asking.join().unwrap()))
        });
        if !attack.may_end_in(&outcome) {
            return Some(finding(attack, &outcome, ""));
        }
        let has_died = outcome == "process";
        if !has_died && (self.deaths() != deaths || failed > 0 || !self.is_calm()) {
            let died = self.deaths() - deaths;
            let more = format!("but {died} deaths, and {failed} requests of neighbours failed");
            return Some(finding(attack, &outcome, &more));
        }
        if has_died {
            wait_for("the neighbour after a restart", || self.is_calm().then_some(()));
        } else if !outcome.starts_with("deploy") && !self.is_well(attack) {
            return Some(finding(attack, &outcome, "but the app does not recover"));
        }
        self.server.admin(&Ask::new("DELETE", &format!("/v1/apps/{}", app(attack))));
        None
    }

    fn attack(&self, attack: &Attack, deaths: usize) -> String {
        let modules = json!({ "app.js": text("harness.js"), "attack.js": attack.source });
        let body = json!({ "main": "app.js", "modules": modules });
        let deployed = self.server.deploy_json(&app(attack), &body);
        if deployed.status >= 300 {
            return format!("deploy {}", deployed.code());
        }
        match self.server.try_ask(&Ask::get("/attack").host(&host(attack))) {
            Ok(answer) => describe(&answer),
            Err(_) => {
                wait_for("the keeper's word", || (self.deaths() > deaths).then_some(()));
                "process".to_owned()
            }
        }
    }

    /// Asks the neighbour until it is over; gives how many requests failed.
    fn ask_until(&self, over: &AtomicBool) -> usize {
        let mut failed = 0;
        while !over.load(Ordering::Relaxed) {
            failed += usize::from(!self.is_calm());
        }
        failed
    }

    fn is_calm(&self) -> bool {
        let answer = self.server.try_ask(&Ask::get("/").host("calm.localhost"));
        answer.is_ok_and(|answer| answer.text() == "hello")
    }

    fn is_well(&self, attack: &Attack) -> bool {
        let answer = self.server.try_ask(&Ask::get("/").host(&host(attack)));
        answer.is_ok_and(|answer| answer.text() == "fine")
    }

    fn deaths(&self) -> usize {
        self.server.output().matches("the worker process ended").count()
    }
}

/// An answer in the words of the catalogue.
fn describe(answer: &Answer) -> String {
    let text = answer.text();
    if answer.status < 400 {
        return format!("answers {text}");
    }
    let Ok(Value::Object(json)) = serde_json::from_str(&text) else {
        return format!("{} {text}", answer.status);
    };
    match json["error"]["code"].as_str() {
        Some("exception") => format!("throws {}", json["error"]["message"].as_str().unwrap()),
        Some(code) => format!("{} {code}", answer.status),
        None => format!("{} {text}", answer.status),
    }
}

fn finding(attack: &Attack, outcome: &str, more: &str) -> String {
    let outcome: String = outcome.chars().take(200).collect();
    format!("{}: {outcome}, must be {} {more}", attack.name, attack.expected())
}

fn report(findings: Vec<String>) {
    assert!(findings.is_empty(), "{} to mend\n{}", findings.len(), findings.join("\n"));
}

fn app(attack: &Attack) -> String {
    attack.name.replace('_', "-")
}

fn host(attack: &Attack) -> String {
    format!("{}.localhost", app(attack))
}

/// Sends bytes and reads the status of the first answer; the peer may stop reading at any time.
fn first_status(port: u16, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(bytes);
    let deadline = Instant::now() + PATIENCE;
    let mut answer = Vec::new();
    let mut chunk = [0; 1024];
    while Instant::now() < deadline && !answer.contains(&b'\n') {
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => answer.extend(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    match answer.strip_prefix("HTTP/1.1 ") {
        Some(rest) => rest.split(' ').next().unwrap().to_owned(),
        None if answer.is_empty() => "closed".to_owned(),
        None => "h2".to_owned(),
    }
}

const CPU_MS: &str = "200";
/// Servers at a time.
const LANES: usize = 2;
const PATIENCE: Duration = Duration::from_secs(2);
