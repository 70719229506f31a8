//! An app whose code ends the worker process is found, named, refused for a while, and runs on in a
//! process of its own; nobody else does.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use server::client::Ask;
use server::{Server, wait_for};
use tempfile::tempdir;

/// Cannot be stopped, or crashes the engine, or neither.
const BAD: &str = r#"
export default {
  fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/stuck") Array.prototype.reverse.call({ length: 2 ** 53 - 1 });
    if (pathname === "/crash") "a".repeat(2 ** 28).split("");
    return new Response("fine");
  },
};"#;

const CALM: &str = "export default { fetch() { return new Response('hello') } }";

#[test]
fn an_app_that_ends_the_process_is_refused_and_its_neighbours_are_not() {
    for (path, how) in [
        ("/stuck", "its code could not be stopped"),
        ("/crash", "the engine crashed while its code ran"),
    ] {
        let data = tempdir().unwrap();
        let server = Server::serve(data.path(), &["--cpu-ms", "200", "--shards", "2"]);
        assert_eq!(server.deploy("bad", BAD).status, 201);
        assert_eq!(server.deploy("calm", CALM).status, 201);
        let worker = server.worker_process();

        assert!(server.try_ask(&Ask::get(path).host("bad.localhost")).is_err());
        let refused = server.ask(&Ask::get("/").host("bad.localhost"));
        assert_eq!((refused.status, refused.code()), (503, "quarantined".to_owned()), "{path}");
        let seconds: u32 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=2).contains(&seconds), "{seconds}");
        assert_eq!(server.text("calm", "/"), "hello");
        assert_ne!(server.worker_process(), worker);
        wait_for("the keeper's word", || {
            let output = server.output();
            (output.contains("\"bad\"") && output.contains(how)).then_some(())
        });

        assert!(server.deploy("bad", &format!("// mended\n{BAD}")).status < 300);
        assert_eq!(server.text("bad", "/"), "fine", "a new version is let in at once");
    }
}

/// Counts, also by alarms, takes what it is sent, and can be made to hang.
const COUNTER: &str = r#"
import { DurableObject } from "cloudflare:workers";
export class App extends DurableObject {
  async fetch(request) {
    const { kv } = this.ctx.storage;
    switch (new URL(request.url).pathname) {
      case "/stuck":
        Array.prototype.reverse.call({ length: 2 ** 53 - 1 });
        break;
      case "/alarm":
        await this.ctx.storage.setAlarm(Date.now() + 1);
        break;
      case "/alarms":
        return new Response(`${kv.get("alarms") ?? 0}`);
      case "/echo":
        return new Response(request.body, { headers: request.headers, status: 201 });
    }
    kv.put("n", (kv.get("n") ?? 0) + 1);
    return new Response(`${kv.get("n")} ${request.url.split("/")[2].split(":")[0]}`);
  }
  alarm() {
    const { kv } = this.ctx.storage;
    kv.put("alarms", (kv.get("alarms") ?? 0) + 1);
  }
}"#;

#[test]
fn a_quarantined_app_goes_on_in_a_process_of_its_own_with_its_data() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &["--cpu-ms", "200", "--shards", "2"]);
    assert_eq!(server.deploy("bad", COUNTER).status, 201);
    assert_eq!(server.deploy("calm", CALM).status, 201);
    assert_eq!(server.text("bad", "/"), "1 bad.localhost");
    assert!(server.try_ask(&Ask::get("/stuck").host("bad.localhost")).is_err());
    let ask = |path: &str| server.ask(&Ask::get(path).host("bad.localhost"));
    let back = || Some(ask("/")).filter(|answer| answer.status == 200);
    assert_eq!(wait_for("the end of its back-off", back).text(), "2 bad.localhost");

    // Its requests, bodies, alarms, limits and deployments work there.
    let main = server.worker_process();
    let body = "x".repeat(300_000);
    let echo = Ask::new("POST", "/echo").host("bad.localhost").header("x-a", "b").body(&*body);
    let echo = server.ask(&echo);
    assert_eq!((echo.status, echo.header("x-a"), echo.text() == body), (201, Some("b"), true));
    assert_eq!(ask("/alarm").status, 200);
    wait_for("its alarm", || (ask("/alarms").text() == "1").then_some(()));
    let limit = Ask::new("PATCH", "/v1/apps/bad/limits").body(r#"{"wall_ms": 5000}"#);
    assert_eq!(server.admin(&limit).json()["limits"]["wall_ms"], 5000);
    let next = server.deploy("bad", &format!("// two\n{COUNTER}"));
    assert_eq!((next.status, &next.json()["version"]), (200, &2.into()));
    assert_eq!(server.deploy("bad", "not JavaScript").code(), "syntax");
    assert_eq!(ask("/").text(), "4 bad.localhost");

    // What it does now, nobody else notices.
    assert_eq!((ask("/stuck").status, ask("/").status), (503, 503));
    assert_eq!(server.text("calm", "/"), "hello");
    assert_eq!(server.worker_process(), main, "the others' process is the same");
    assert!(server.deploy("bad", &format!("// three\n{COUNTER}")).status < 300);
    assert_eq!(ask("/").text(), "5 bad.localhost");
    assert_eq!(server.admin(&Ask::new("DELETE", "/v1/apps/bad")).status, 204);
    assert_eq!(ask("/").status, 404);

    // A keeper that starts has nobody in quarantine.
    assert_eq!(server.deploy("bad", COUNTER).status, 201);
    assert_eq!(ask("/").text(), "1 bad.localhost");
    server.stop();
    let server = Server::serve(data.path(), &["--cpu-ms", "200", "--shards", "2"]);
    assert_eq!(server.text("bad", "/"), "2 bad.localhost");
    assert!(!data.path().join("quarantine/do/AppRunner").read_dir().unwrap().any(|_| true));
}

#[test]
fn a_process_that_is_killed_from_outside_is_nobodys_fault() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &["--shards", "1"]);
    assert_eq!(server.deploy("calm", CALM).status, 201);
    assert_eq!(server.text("calm", "/"), "hello");
    server::signal_process(server.worker_process(), "KILL");
    let back = || server.try_ask(&Ask::get("/").host("calm.localhost")).ok();
    let answer = wait_for("an answer of the next worker process", back);
    assert_eq!(answer.text(), "hello");
    assert!(!server.output().contains("an app ended the worker process"), "{}", server.output());
}
