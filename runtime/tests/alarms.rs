//! Alarms of acknowledged writes always come: after `kill -9`, without the index, in facets, and
//! without any request that would wake their object.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::collections::BTreeSet;
use std::fs;

use server::client::Ask;
use server::{Server, wait_for};
use tempfile::tempdir;

/// Sets an alarm that tells the log when it runs.
const TELLER: &str = r#"
import { DurableObject } from "cloudflare:workers";

export class Teller extends DurableObject {
  async later(ms) {
    await this.ctx.storage.setAlarm(Date.now() + ms);
  }
  alarm() {
    console.log(`<${this.ctx.id.name}> ran`);
  }
}

export default {
  async fetch(request, _env, ctx) {
    const [name, ms] = new URL(request.url).pathname.slice(1).split("/");
    await ctx.exports.Teller.getByName(name).later(Number(ms));
    return new Response("set");
  },
};
"#;

const APP: &str = r#"
import { DurableObject } from "cloudflare:workers";

export class App extends DurableObject {
  async fetch(request) {
    await this.ctx.storage.setAlarm(Date.now() + Number(new URL(request.url).pathname.slice(1)));
    return new Response("set");
  }
  alarm() {
    console.log(`<${this.ctx.id.name}> ran`);
  }
}
"#;

/// The names in the log of objects whose alarm ran.
fn ran(server: &Server) -> BTreeSet<String> {
    let output = server.output();
    let names = output.split('<').filter_map(|rest| rest.split_once("> ran"));
    names.map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn al_12_acknowledged_alarms_come_after_kill_9() {
    let data = tempdir().unwrap();
    let script = data.path().join("worker.js");
    fs::write(&script, TELLER).unwrap();
    let start = || Server::run(&script, &data.path().join("data"), 2, &[]);
    let mut expected = BTreeSet::new();
    let mut ended = Vec::new();
    for round in 0..3 {
        let mut server = start();
        for number in 0..20 {
            // Some are due before the process is killed, some at that time, some later.
            let (name, ms) = (format!("{round}-{number}"), (number % 5) * 30);
            let answer = server.ask(&Ask::get(&format!("/{name}/{ms}")));
            assert_eq!(answer.text(), "set");
            expected.insert(name);
        }
        server.kill_now();
        server.wait();
        // What it wrote last may still be on its way here.
        ended.push(server);
        if round == 1 {
            // The index is made anew from the databases.
            fs::remove_file(data.path().join("data/alarms")).unwrap();
        }
    }
    let server = start();
    wait_for("all alarms", || {
        let seen: BTreeSet<String> = ended.iter().chain([&server]).flat_map(ran).collect();
        (seen == expected).then_some(())
    });
}

#[test]
fn fa_48_the_alarm_of_an_app_comes_without_a_request() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    assert_eq!(server.deploy("one", APP).status, 201);
    assert_eq!(server.text("one", "/1500"), "set");
    server.kill();
    let server = Server::serve(data.path(), &[]);
    wait_for("the alarm of the facet", || ran(&server).contains("one").then_some(()));
    assert_eq!(server.text("one", "/1500"), "set");
    server.kill();
    fs::remove_file(data.path().join("alarms")).unwrap();
    let server = Server::serve(data.path(), &[]);
    wait_for("the alarm found in the database", || ran(&server).contains("one").then_some(()));
}

#[test]
fn al_3_a_damaged_index_is_made_anew() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    assert_eq!(server.deploy("one", APP).status, 201);
    assert_eq!(server.text("one", "/1500"), "set");
    server.kill();
    let index = data.path().join("alarms");
    let mut bytes = fs::read(&index).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&index, bytes).unwrap();
    let server = Server::serve(data.path(), &[]);
    wait_for("the alarm of the facet", || ran(&server).contains("one").then_some(()));
}

/// A handler that never ends, or none, depending on the deployment.
fn lingering(handler: &str) -> String {
    let class = "export class App extends DurableObject {
        async fetch(request) {
          await this.ctx.storage.setAlarm(Date.now() + 60_000);
          return new Response('set');
        }";
    format!("import {{ DurableObject }} from 'cloudflare:workers';\n{class}\n{handler}\n}}")
}

fn serve(data: &tempfile::TempDir) -> Server {
    Server::serve(data.path(), &["--debug-port", "0"])
}

fn lines(server: &Server, text: &str) -> usize {
    server.output().matches(text).count()
}

#[test]
fn al_8_a_handler_that_does_not_end_is_ended_and_tried_again() {
    let data = tempdir().unwrap();
    let server = serve(&data);
    let handler = "alarm({ retryCount }) {
        console.log(`<try ${retryCount}>`);
        return new Promise(() => {});
      }";
    assert_eq!(server.deploy("app", &lingering(handler)).status, 201);
    assert_eq!(server.text("app", "/"), "set");
    server.advance(60_000);
    wait_for("the first try", || (lines(&server, "<try 0>") == 1).then_some(()));
    server.advance(14 * 60_000);
    assert_eq!(lines(&server, "<try 1>"), 0);
    server.advance(60_000);
    let text = "Alarm exceeded its allowed execution time";
    wait_for("the end", || (lines(&server, text) > 0).then_some(()));
    wait_for("the second try", || {
        server.advance(1_000);
        (lines(&server, "<try 1>") == 1).then_some(())
    });
}

#[test]
fn al_10_an_alarm_whose_handler_is_gone_is_reported_once_and_not_tried_again() {
    let data = tempdir().unwrap();
    let server = serve(&data);
    assert_eq!(server.deploy("app", &lingering("alarm() {}")).status, 201);
    assert_eq!(server.text("app", "/"), "set");
    let without = "export class App extends DurableObject {
        async fetch() { return new Response(`${await this.ctx.storage.getAlarm()}`); }
      }";
    let source = format!("import {{ DurableObject }} from 'cloudflare:workers';\n{without}");
    assert_eq!(server.deploy("app", &source).status, 200);
    assert_ne!(server.text("app", "/"), "null");
    server.advance(60_000);
    wait_for("the alarm to be gone", || (server.text("app", "/") == "null").then_some(()));
    let reports = lines(&server, "alarm() handler");
    assert_eq!(reports, 1, "{}", server.output());
    server.advance(60 * 60_000);
    assert_eq!(server.text("app", "/"), "null");
    assert_eq!(lines(&server, "alarm() handler"), 1);
}
