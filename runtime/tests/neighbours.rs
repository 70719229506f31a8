//! What neighbours notice of an app that loops without an end, and how soon all are served again
//! after an app ended the process.
//!
//! The quick run asserts outcomes only. With `BERYL_TORTURE` the numbers of docs/security.md are
//! taken and printed; `BERYL_TEST_BINARY` names an optimised binary to take them of.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use server::client::{Ask, send};
use server::{Server, wait_for};
use tempfile::tempdir;
use worker::actor_id::ActorId;

const HOG: &str = "export default { fetch() { for (;;); } }";
const VICTIM: &str = "export default { fetch() { return new Response('hello') } }";
const CRASH: &str = r#"
export default { fetch() { "a".repeat(2 ** 28).split(""); return new Response("no crash"); } }"#;
const COUNTER: &str = r#"
import { DurableObject } from "cloudflare:workers";
export class App extends DurableObject {
  fetch() {
    const { kv } = this.ctx.storage;
    kv.put("n", (kv.get("n") ?? 0) + 1);
    return new Response(`${kv.get("n")}`);
  }
}"#;

const CPU_MS: u64 = 50;

#[test]
fn an_app_that_loops_delays_nobody_on_other_threads_and_others_until_its_limit() {
    let (victims, rounds) = if is_torture() { (99, 30) } else { (4, 2) };
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &["--cpu-ms", "5000", "--shards", "2"]);
    assert_eq!(server.deploy("hog", HOG).status, 201);
    for victim in 0..victims {
        assert_eq!(server.deploy(&format!("v{victim}"), VICTIM).status, 201);
        assert_eq!(server.text(&format!("v{victim}"), "/"), "hello");
    }
    let limit = format!(r#"{{"cpu_ms": {CPU_MS}}}"#);
    let limit = Ask::new("PATCH", "/v1/apps/hog/limits").body(limit);
    assert_eq!(server.admin(&limit).status, 200);
    let (near, far): (Vec<_>, Vec<_>) =
        (0..victims).map(|n| format!("v{n}")).partition(|app| shard_of(app) == shard_of("hog"));
    let measure = || [&near, &far].map(|apps| Times::take(&server, apps, rounds));
    let calm = measure();
    let stop = Arc::new(AtomicBool::new(false));
    let hog = {
        let (stop, port) = (Arc::clone(&stop), server.port);
        thread::spawn(move || {
            let mut ended = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let began = Instant::now();
                let answer = send(port, &Ask::get("/").host("hog.localhost")).unwrap();
                assert_eq!((answer.status, answer.code()), (503, "cpu_limit".to_owned()));
                ended.push(began.elapsed());
            }
            Times(ended)
        })
    };
    let beside = measure();
    stop.store(true, Ordering::Relaxed);
    let mut hog = hog.join().unwrap();
    for (name, [mut calm, mut beside]) in
        ["the hog's thread", "the other thread"].iter().zip(zip(calm, beside))
    {
        println!("victims on {name}: alone {}, beside the hog {}", calm.text(), beside.text());
    }
    println!("the hog itself (limit {CPU_MS} ms): {}", hog.text());
}

#[test]
fn all_are_served_again_soon_after_apps_ended_the_process_and_nothing_is_lost() {
    let crashes = if is_torture() { 200 } else { 2 };
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &["--shards", "2"]);
    for app in 0..crashes {
        assert_eq!(server.deploy(&format!("bad{app}"), CRASH).status, 201);
    }
    assert_eq!(server.deploy("counter", COUNTER).status, 201);
    let (mut acknowledged, mut times) = (0, Times(Vec::new()));
    for app in 0..crashes {
        acknowledged = count(&server, acknowledged);
        let worker = server.worker_process();
        let bad = Ask::get("/").host(&format!("bad{app}.localhost"));
        assert!(server.try_ask(&bad).is_err(), "{}", server.output());
        let ended = Instant::now();
        acknowledged = count(&server, acknowledged);
        times.0.push(ended.elapsed());
        assert_ne!(server.worker_process(), worker);
    }
    println!("from {crashes} ends of the process to an answer: {}", times.text());
}

/// The next count, once there is an answer.
fn count(server: &Server, acknowledged: u64) -> u64 {
    let ask = Ask::get("/").host("counter.localhost");
    let answer = wait_for("an answer", || server.try_ask(&ask).ok().filter(|a| a.status == 200));
    let count = answer.text().parse().unwrap();
    assert!(count > acknowledged, "{count} after {acknowledged}: acknowledged writes are lost");
    count
}

/// The thread that an app lives on, of two.
fn shard_of(app: &str) -> u64 {
    let id = ActorId::from_name("AppRunner", app).bytes();
    u64::from_le_bytes(id[..8].try_into().unwrap()) % 2
}

struct Times(Vec<Duration>);

impl Times {
    /// Asks each of `apps` so many times, from two clients; all must answer.
    fn take(server: &Server, apps: &[String], rounds: usize) -> Times {
        let next = AtomicUsize::new(0);
        let client = || {
            let mut times = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= rounds * apps.len() {
                    return times;
                }
                let app = &apps[number % apps.len()];
                let began = Instant::now();
                assert_eq!(server.text(app, "/"), "hello");
                times.push(began.elapsed());
            }
        };
        thread::scope(|scope| {
            let clients = [scope.spawn(client), scope.spawn(client)];
            Times(clients.into_iter().flat_map(|client| client.join().unwrap()).collect())
        })
    }

    fn text(&mut self) -> String {
        self.0.sort_unstable();
        let at = |part: usize| match self.0.len() {
            0 => Duration::ZERO,
            count => self.0[(count * part / 100).min(count - 1)],
        };
        let [half, most, all] = [50, 99, 100].map(|part| at(part).as_secs_f64() * 1_000.0);
        format!("n {}, p50 {half:.1}, p99 {most:.1}, max {all:.1} ms", self.0.len())
    }
}

fn zip<A>([a, b]: [A; 2], [c, d]: [A; 2]) -> [[A; 2]; 2] {
    [[a, c], [b, d]]
}

fn is_torture() -> bool {
    std::env::var_os("BERYL_TORTURE").is_some()
}
