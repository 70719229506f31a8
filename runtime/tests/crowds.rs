//! Many at a time: alarms that are due together, and events that wait for one object.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use server::app::root;
use server::client::Ask;
use server::{Server, wait_for};
use tempfile::tempdir;

/// Objects that nobody woke: their databases are closed, and only the index knows of the alarms.
#[test]
fn al_4_and_al_12_a_crowd_of_alarms_comes_as_a_whole_and_never_early() {
    let is_long = std::env::var_os("BERYL_TORTURE").is_some();
    let count = if is_long { 10_000 } else { 200 };
    let data = tempdir().unwrap();
    let script = root().join("bench/workers/alarms.js");
    let server = Server::run(&script, data.path(), 1, &["--debug-port", "0"]);
    let json = |path: &str| -> Value {
        let answer = server.ask(&Ask::get(path));
        assert_eq!(answer.status, 200, "{path}: {}\n{}", answer.text(), server.output());
        answer.json()
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let due = now + u128::from(AHEAD_MS);
    for from in (0..count).step_by(100) {
        let path = format!("/arm?from={from}&to={}&at={due}&of={count}", from + 100);
        assert_eq!(server.ask(&Ask::get(&path)).status, 200, "{}", server.output());
    }
    server.pass(90);
    assert_eq!(server.objects()["objects"], json!([]), "all of them left memory");
    server.advance(3_000_000);
    assert_eq!(json("/late"), json!({ "late": [], "twice": 0 }));
    server.advance(AHEAD_MS - 3_000_000 - 90_000);
    let late = wait_for("all alarms", || {
        let came = json("/late");
        (came["late"].as_array().unwrap().len() >= count).then_some(came)
    });
    assert_eq!(late["twice"], 0);
    let late = late["late"].as_array().unwrap();
    let moved = AHEAD_MS as f64;
    assert_eq!(late.len(), count, "missed or come twice");
    // The worker's own clock is not moved.
    let early = late.iter().filter(|late| late.as_f64().unwrap() + moved < 0.0).count();
    assert_eq!(early, 0);
}

/// When alarms are due, from the start of the test.
const AHEAD_MS: u64 = 3_600_000;

const FLAGS: &str = r#"
import { DurableObject } from "cloudflare:workers";

const described = ({ name, message, durableObjectReset, overloaded, remote }) =>
  ({ error: `${name}: ${message}`, durableObjectReset, overloaded, remote });

export class One extends DurableObject {
  hang() {
    return this.ctx.blockConcurrencyWhile(() => new Promise(() => {}));
  }
  fine() {
    return "fine";
  }
  later() {
    return this.ctx.storage.setAlarm(Date.now() + 1000);
  }
  forever() {
    return new Promise(() => {});
  }
  alarm() {
    console.log("<the alarm runs>");
    return new Promise(() => {});
  }
}

export default {
  async fetch(request, _env, ctx) {
    const { pathname, search } = new URL(request.url);
    const one = ctx.exports.One.getByName(pathname);
    const outcome = (promise) => promise.then((value) => value, described);
    switch (pathname) {
      case "/section":
        return Response.json(await Promise.all([outcome(one.hang()), outcome(one.fine())]));
      case "/full": {
        const waiting = [outcome(one.hang())];
        const all = Number(search.slice(1));
        for (let n = 0; n < all; n++) waiting.push(outcome(one.fine()));
        return Response.json(await Promise.race(waiting));
      }
      case "/alarm":
        await one.later();
        return Response.json(await outcome(one.forever()));
    }
    return Response.json(await outcome(one.fine()));
  },
};
"#;

fn flags(data: &tempfile::TempDir, more: &[&str]) -> Server {
    let script = data.path().join("worker.js");
    fs::write(&script, FLAGS).unwrap();
    Server::run(&script, &data.path().join("data"), 1, more)
}

/// As workerd answers, which always takes 30 seconds for it.
#[test]
fn do_38_a_section_that_takes_too_long_resets_and_says_overloaded() {
    let data = tempdir().unwrap();
    let server = flags(&data, &["--block-ms", "300"]);
    let error = "Error: A call to blockConcurrencyWhile() in a Durable Object waited for too long. \
                 The call was canceled and the Durable Object was reset.";
    let expect = json!({ "error": error, "durableObjectReset": true, "overloaded": true });
    let answer = server.ask(&Ask::get("/section")).json();
    assert_eq!(answer, json!([expect, expect]));
    assert_eq!(server.ask(&Ask::get("/fine")).json(), "fine");
}

#[test]
fn do_39_and_do_40_a_full_queue_says_overloaded_and_resets_nothing() {
    let data = tempdir().unwrap();
    let server = flags(&data, &["--block-ms", "20000"]);
    let error = "Error: Durable Object is overloaded. Too many requests queued.";
    let answer = server.ask(&Ask::get("/full?10100")).json();
    assert_eq!(answer, json!({ "error": error, "overloaded": true }));
}

#[test]
fn al_8_an_alarm_that_takes_too_long_resets_and_says_overloaded() {
    let data = tempdir().unwrap();
    let server = flags(&data, &["--debug-port", "0"]);
    let error = "Error: Alarm exceeded its allowed execution time";
    let expect = json!({ "error": error, "durableObjectReset": true, "overloaded": true });
    let port = server.port;
    let waiting =
        std::thread::spawn(move || server::client::send(port, &Ask::get("/alarm")).unwrap().json());
    wait_for("the alarm", || {
        server.advance(2_000);
        server.output().contains("<the alarm runs>").then_some(())
    });
    server.advance(16 * 60_000);
    assert_eq!(waiting.join().unwrap(), expect);
}
