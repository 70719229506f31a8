//! Objects and facets leave memory when nothing holds them, and come back with the next event
//! (DO-14, DO-15, FA-34 to FA-36). The clock is moved, not waited for.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::fs;
use std::process::Command;

use serde_json::json;
use server::client::Ask;
use server::{Server, wait_for};
use tempfile::{TempDir, tempdir};

const SCRIPT: &str = r#"
import { DurableObject } from "cloudflare:workers";

const CODE = `
import { DurableObject } from "cloudflare:workers";
export class App extends DurableObject {
  calls = 0;
  count() {
    const { kv } = this.ctx.storage;
    kv.put("count", (kv.get("count") ?? 0) + 1);
    return [++this.calls, kv.get("count")];
  }
}`;

export class Keeper extends DurableObject {
  calls = 0;
  callbacks = 0;
  timer = 0;
  release = () => {};
  facet = this.ctx.facets.get("app", () => {
    this.callbacks++;
    return {
      class: this.env.LOADER.get("app", () => ({
        compatibilityDate: "2026-04-01",
        mainModule: "app.js",
        modules: { "app.js": CODE },
      })).getDurableObjectClass("App"),
    };
  });

  count() {
    const { kv } = this.ctx.storage;
    kv.put("count", (kv.get("count") ?? 0) + 1);
    return [++this.calls, kv.get("count")];
  }
  every(ms) {
    this.timer = setInterval(() => {}, ms);
  }
  stop() {
    clearInterval(this.timer);
  }
  wait() {
    this.ctx.waitUntil(new Promise((resolve) => this.release = resolve));
  }
  done() {
    this.release();
  }
  fetch() {
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    writer.write(new TextEncoder().encode("begun"));
    this.release = () => writer.close();
    return new Response(readable);
  }
  async app() {
    return [this.callbacks, ...await this.facet.count(), this.callbacks];
  }
  async alarmIn(ms, failing) {
    this.ctx.storage.kv.put("failing", failing);
    await this.ctx.storage.setAlarm(Date.now() + ms);
  }
  left() {
    return this.ctx.storage.getAlarm();
  }
  alarm(info) {
    console.log(`<alarm ${info.retryCount}>`);
    if (this.ctx.storage.kv.get("failing")) throw new Error("as asked");
  }
}

export default {
  async fetch(request, _env, ctx) {
    const [method, ...args] = new URL(request.url).pathname.slice(1).split("/");
    const keeper = ctx.exports.Keeper.getByName("it");
    if (method === "stream") return keeper.fetch(request);
    if (method === "background") {
      ctx.waitUntil(scheduler.wait(300).then(() => console.log("<background work is done>")));
      return new Response("begun");
    }
    return Response.json(await keeper[method](...args.map(Number)) ?? null);
  },
};
"#;

const MANY: &str = r#"
import { DurableObject } from "cloudflare:workers";
export class One extends DurableObject {
  count() {
    const { kv } = this.ctx.storage;
    kv.put("count", (kv.get("count") ?? 0) + 1);
    return kv.get("count");
  }
}
export default {
  async fetch(request, _env, ctx) {
    return new Response(await ctx.exports.One.getByName(request.url).count());
  },
};
"#;

fn start(data: &TempDir) -> Server {
    let script = data.path().join("worker.js");
    fs::write(&script, SCRIPT).unwrap();
    Server::run(&script, &data.path().join("data"), 1, &["--debug-port", "0"])
}

fn ask(server: &Server, path: &str) -> String {
    let answer = server.ask(&Ask::get(path));
    assert_eq!(answer.status, 200, "{path}: {}\n{}", answer.text(), server.output());
    answer.text()
}

/// The state of the root, then of the facet.
fn states(server: &Server) -> Vec<String> {
    let objects = server.objects();
    let state = |object: &serde_json::Value| object["state"].as_str().unwrap().to_owned();
    objects["objects"].as_array().unwrap().iter().map(state).collect()
}

#[test]
fn do_14_an_idle_object_leaves_memory_after_ten_seconds_and_comes_back() {
    let data = tempdir().unwrap();
    let server = start(&data);
    assert_eq!(ask(&server, "/count"), "[1,1]");
    server.pass(9);
    assert_eq!((states(&server), ask(&server, "/count")), (vec!["running".into()], "[2,2]".into()));
    server.pass(13);
    assert_eq!(states(&server), ["idle"]);
    assert_eq!(ask(&server, "/count"), "[1,3]", "a new instance with the old data");
    server.pass(13);
    assert_eq!(ask(&server, "/count"), "[1,4]");
}

#[test]
fn do_14_a_timer_holds_an_object_until_it_is_stopped() {
    let data = tempdir().unwrap();
    let server = start(&data);
    ask(&server, "/every/1000000");
    server.pass(30);
    assert_eq!((states(&server), ask(&server, "/count")), (vec!["running".into()], "[1,1]".into()));
    ask(&server, "/stop");
    server.pass(13);
    assert_eq!(states(&server), ["idle"]);
}

#[test]
fn do_15_a_timer_does_not_hold_an_object_for_ever() {
    let data = tempdir().unwrap();
    let server = start(&data);
    ask(&server, "/every/1000000");
    for _ in 0..14 {
        server.advance(60_000);
    }
    assert_eq!(states(&server), ["running"]);
    server.advance(120_000);
    server.pass(13);
    assert_eq!(states(&server), Vec::<String>::new());
    assert_eq!(ask(&server, "/count"), "[1,1]");
}

#[test]
fn do_14_wait_until_holds_an_object() {
    let data = tempdir().unwrap();
    let server = start(&data);
    ask(&server, "/wait");
    server.pass(30);
    assert_eq!(states(&server), ["running"]);
    ask(&server, "/done");
    server.pass(13);
    assert_eq!(states(&server), ["idle"]);
}

#[test]
fn do_14_an_open_answer_holds_an_object() {
    let data = tempdir().unwrap();
    let server = start(&data);
    let port = server.port;
    let reading = std::thread::spawn(move || {
        server::client::send(port, &Ask::get("/stream")).unwrap().text()
    });
    wait_for("the object", || (states(&server) == ["running"]).then_some(()));
    server.pass(30);
    assert_eq!(states(&server), ["running"]);
    ask(&server, "/done");
    assert_eq!(reading.join().unwrap(), "begun");
    server.pass(13);
    assert_eq!(states(&server), ["idle"]);
}

#[test]
fn fa_34_a_facet_and_its_isolate_leave_and_come_back_without_the_callback() {
    let data = tempdir().unwrap();
    let server = start(&data);
    assert_eq!(ask(&server, "/app"), "[0,1,1,1]");
    assert_eq!(server.objects()["workers"], 2);
    // The supervisor stays, being used; the facet does not.
    for _ in 0..13 {
        server.pass(1);
        ask(&server, "/left");
    }
    assert_eq!(states(&server), ["running", "idle"]);
    server.pass(1);
    assert_eq!(ask(&server, "/app"), "[1,1,2,1]");
    for _ in 0..26 {
        server.pass(1);
        ask(&server, "/left");
    }
    assert_eq!(server.objects()["workers"], 1, "the isolate of the loaded worker is gone");
    assert_eq!(ask(&server, "/app"), "[1,1,3,1]");
}

#[test]
fn fa_36_a_new_supervisor_finds_the_facet_that_runs() {
    let data = tempdir().unwrap();
    let server = start(&data);
    assert_eq!(ask(&server, "/app"), "[0,1,1,1]");
    server.pass(13);
    assert_eq!(states(&server), ["idle", "idle"]);
    assert_eq!(ask(&server, "/app"), "[0,1,2,0]", "the place kept the class");
}

#[test]
fn fa_35_a_tree_that_nobody_uses_is_forgotten_after_seventy_seconds() {
    let data = tempdir().unwrap();
    let server = start(&data);
    assert_eq!(ask(&server, "/app"), "[0,1,1,1]");
    server.pass(75);
    assert_eq!(server.objects(), json!({ "objects": [], "workers": 1 }));
    assert_eq!(ask(&server, "/app"), "[0,1,2,1]", "the callback runs again");
}

#[test]
fn al_4_the_alarm_of_an_evicted_object_comes_in_time() {
    let data = tempdir().unwrap();
    let server = start(&data);
    ask(&server, "/alarmIn/3600000/0");
    server.pass(80);
    assert_eq!(states(&server), Vec::<String>::new());
    server.advance(3_500_000);
    assert!(!server.output().contains("<alarm"), "too early");
    server.advance(20_000);
    wait_for("the alarm", || server.output().contains("<alarm 0>").then_some(()));
    assert_eq!(ask(&server, "/left"), "null");
}

#[test]
fn al_6_an_alarm_that_keeps_failing_is_given_up_after_six_retries() {
    let data = tempdir().unwrap();
    let server = start(&data);
    ask(&server, "/alarmIn/0/1");
    for retry in 0..=6 {
        let line = format!("<alarm {retry}>");
        wait_for(&line, || server.output().contains(&line).then_some(()));
        // The next is due after at most a quarter more.
        wait_for("the next try", || {
            server.advance(1_000);
            let next = format!("<alarm {}>", retry + 1);
            let is_over = server.output().contains(&next) || ask(&server, "/left") == "null";
            is_over.then_some(())
        });
    }
    assert!(!server.output().contains("<alarm 7>"));
    assert_eq!(ask(&server, "/left"), "null");
}

#[test]
fn more_objects_are_used_than_the_system_has_open_files_for() {
    let data = tempdir().unwrap();
    let script = data.path().join("worker.js");
    fs::write(&script, MANY).unwrap();
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 800; exec \"$0\" \"$@\""]).arg(env!("CARGO_BIN_EXE_beryl"));
    limited.arg("run").arg(&script).arg("--data").arg(data.path().join("data"));
    let server = Server::start(limited.args(["--port", "0", "--shards", "1"]));
    for round in 1..=2 {
        for number in 0..400 {
            assert_eq!(ask(&server, &format!("/{number}")), round.to_string());
        }
    }
}

#[test]
fn the_end_of_the_process_waits_for_background_work() {
    let data = tempdir().unwrap();
    let mut server = start(&data);
    assert_eq!(ask(&server, "/background").as_str(), "begun");
    server.terminate();
    assert_eq!(server.wait().code(), Some(0));
    wait_for("the last line", || {
        server.output().contains("<background work is done>").then_some(())
    });
}
