//! Nothing that was acknowledged is lost: not by `kill -9` in a write loop, not by an orderly
//! stop.
//!
//! Clients count in a Durable Object and in a facet until the process is killed. Every number
//! that a client was given must be unique, and the counter must go on after the highest one.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use server::client::{Ask, Connection};
use server::{Server, wait_for};
use tempfile::{TempDir, tempdir};

/// A Durable Object that counts, and a facet of it that does.
const COUNTERS: &str = r#"
import { DurableObject } from "cloudflare:workers";

const CODE = `
import { DurableObject } from "cloudflare:workers";
export class App extends DurableObject {
  add() {
    this.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY)");
    this.ctx.storage.sql.exec("INSERT INTO t DEFAULT VALUES");
    return this.read();
  }
  read() {
    this.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY)");
    return this.ctx.storage.sql.exec("SELECT count(*) AS n FROM t").one().n;
  }
}`;

export class Counter extends DurableObject {
  add() {
    const count = this.read() + 1;
    this.ctx.storage.kv.put("count", count);
    return count;
  }
  read() {
    return this.ctx.storage.kv.get("count") ?? 0;
  }
  async facet(method) {
    const app = this.ctx.facets.get("app", () => ({
      class: this.env.LOADER.get("app", () => ({
        compatibilityDate: "2026-04-01",
        mainModule: "app.js",
        modules: { "app.js": CODE },
      })).getDurableObjectClass("App"),
    }));
    return method === "add" ? await app.add() : await app.read();
  }
}

export default {
  async fetch(request, _env, ctx) {
    const [kind, method] = new URL(request.url).pathname.slice(1).split("/");
    const counter = ctx.exports.Counter.getByName(kind);
    const count = kind === "facet"
      ? await counter.facet(method)
      : method === "add" ? await counter.add() : await counter.read();
    return new Response(String(count));
  },
};
"#;

const APP: &str = "import { DurableObject } from 'cloudflare:workers';
export class App extends DurableObject {
  fetch(request) {
    const { kv } = this.ctx.storage;
    if (request.url.endsWith('/add')) kv.put('count', (kv.get('count') ?? 0) + 1);
    return new Response(String(kv.get('count') ?? 0));
  }
}";

const CLIENTS: usize = 4;

/// Answers before the process is killed, different in every round.
const ANSWERS: [usize; 4] = [40, 1, 97, 160];

#[test]
fn acknowledged_values_survive_kill_9() {
    let data = tempdir().unwrap();
    let script = script(&data, COUNTERS);
    let start = || Server::run(&script, &data.path().join("data"), 2, &[]);
    let mut counters = [Counter::new("root", "a"), Counter::new("facet", "a")];
    rounds(start, &mut counters);
}

#[test]
fn acknowledged_values_of_deployed_apps_survive_kill_9() {
    let data = tempdir().unwrap();
    let start = || Server::serve(data.path(), &[]);
    let server = start();
    for app in ["one", "two"] {
        assert_eq!(server.deploy(app, APP).status, 201);
    }
    server.kill();
    let mut counters = [Counter::new("", "one.localhost"), Counter::new("", "two.localhost")];
    rounds(start, &mut counters);
}

/// One counter and what its clients were told.
struct Counter {
    path: String,
    host: String,
    seen: BTreeSet<u64>,
}

impl Counter {
    fn new(path: &str, host: &str) -> Counter {
        let path = if path.is_empty() { String::new() } else { format!("/{path}") };
        Counter { path, host: host.to_owned(), seen: BTreeSet::new() }
    }

    fn read(&self, server: &Server) -> u64 {
        let answer = server.ask(&Ask::get(&format!("{}/read", self.path)).host(&self.host));
        assert_eq!(answer.status, 200, "{}\n{}", answer.text(), server.output());
        answer.text().parse().unwrap()
    }

    /// The value must be the last one given, or later by what was not answered any more.
    fn check(&self, server: &Server, place: &str) {
        let last = self.seen.last().copied().unwrap_or(0);
        let value = self.read(server);
        assert!(value >= last, "{place}: {value} is stored, {last} was acknowledged");
    }
}

fn rounds(start: impl Fn() -> Server, counters: &mut [Counter]) {
    for (round, answers) in ANSWERS.into_iter().enumerate() {
        let server = Arc::new(start());
        for counter in counters.iter() {
            counter.check(&server, &format!("round {round}, {} {}", counter.path, counter.host));
        }
        count_until_killed(server, counters, answers);
    }
    let server = start();
    for counter in counters {
        counter.check(&server, "at the end");
        let before = counter.read(&server);
        let answer = server.ask(&Ask::get(&format!("{}/add", counter.path)).host(&counter.host));
        assert_eq!(answer.text(), (before + 1).to_string(), "it goes on");
    }
}

/// Several clients per counter add to it; after so many answers the process is killed.
fn count_until_killed(server: Arc<Server>, counters: &mut [Counter], answers: usize) {
    let answered = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    for (index, counter) in counters.iter().enumerate() {
        for _ in 0..CLIENTS {
            let ask = Ask::get(&format!("{}/add", counter.path)).host(&counter.host);
            let (server, answered) = (Arc::clone(&server), Arc::clone(&answered));
            clients.push(thread::spawn(move || {
                let mut seen = Vec::new();
                // What fails was not acknowledged; the process is gone.
                while let Ok(answer) = server.try_ask(&ask) {
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    seen.push(answer.text().parse::<u64>().unwrap());
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                (index, seen)
            }));
        }
    }
    wait_for("answers", || Some(()).filter(|()| answered.load(Ordering::Relaxed) >= answers));
    server.kill_now();
    for client in clients {
        let (index, seen) = client.join().unwrap();
        for value in seen {
            assert!(counters[index].seen.insert(value), "{value} was given twice");
        }
    }
}

#[test]
fn orderly_stop_finishes_the_request_in_flight() {
    let data = tempdir().unwrap();
    let source = "export default { async fetch() {
        console.log('request has begun');
        await scheduler.wait(200);
        return new Response('finished');
      } }";
    let script = script(&data, source);
    let mut server = Server::run(&script, &data.path().join("data"), 2, &[]);
    let mut connection = Connection::open(server.port).unwrap();
    connection.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let begun = || Some(()).filter(|()| server.output().contains("request has begun"));
    wait_for("the request to begin", begun);
    server.terminate();
    let answer = connection.answer().unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "finished"));
    assert_eq!(server.wait().code(), Some(0), "{}", server.output());
    assert!(server.try_ask(&Ask::get("/")).is_err(), "nobody listens any more");
}

#[test]
fn orderly_stop_does_not_wait_for_idle_connections() {
    let data = tempdir().unwrap();
    let script = script(&data, "export default { fetch() { return new Response('hello') } }");
    let mut server = Server::run(&script, &data.path().join("data"), 2, &[]);
    let _silent = Connection::open(server.port).unwrap();
    let mut idle = Connection::open(server.port).unwrap();
    idle.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!(idle.answer().unwrap().text(), "hello");
    server.terminate();
    assert_eq!(server.wait().code(), Some(0), "{}", server.output());
}

#[test]
fn values_survive_an_orderly_stop() {
    let data = tempdir().unwrap();
    let script = script(&data, COUNTERS);
    for round in 0..3 {
        let server = Server::run(&script, &data.path().join("data"), 2, &[]);
        for path in ["/root/add", "/facet/add"] {
            assert_eq!(server.ask(&Ask::get(path)).text(), (round + 1).to_string(), "{path}");
        }
        assert_eq!(server.stop().code(), Some(0));
    }
}

fn script(folder: &TempDir, source: &str) -> PathBuf {
    let path = folder.path().join("worker.js");
    fs::write(&path, source).unwrap();
    path
}
