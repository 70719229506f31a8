//! Limits are said in one place: `docs/limits.md` is made of the table in the code, the admin API
//! answers the same, and an app's own ones hold.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::fmt::Write;
use std::fs;

use server::Server;
use server::app::root;
use server::client::{Answer, Ask};
use tempfile::tempdir;
use worker::limits::Limits;

/// Does what its path says.
const APP: &str = r#"
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
export class App extends DurableObject {
  async fetch(request) {
    // Some milliseconds of a processor for each million, however busy the machine is.
    const spin = (millions) => {
      let sum = 0;
      for (let i = 0; i < millions * 1e6; i++) sum = (sum + i) % 7;
      return sum;
    };
    switch (new URL(request.url).pathname) {
      case "/spin":
        spin(300);
        break;
      case "/spin-in-turns":
        for (let i = 0; i < 1000; i++) {
          spin(5);
          await scheduler.wait(0);
        }
        break;
      case "/wait":
        await scheduler.wait(60_000);
        break;
      case "/store":
        for (let i = 0; i < 64; i++) {
          this.ctx.storage.kv.put(crypto.randomUUID(), new Uint8Array(1 << 17));
        }
        break;
      case "/timers": {
        const timers = [];
        try {
          for (let i = 0; i < 100; i++) timers.push(setTimeout(() => {}, 60_000));
        } catch (error) {
          return new Response(`${timers.length} ${error.name} ${error.message}`);
        } finally {
          timers.forEach(clearTimeout);
        }
        break;
      }
      case "/queue": {
        const waits = [1, 2, 3].map(() => this.ctx.exports.Waiter.fetch("http://x/"));
        const codes = await Promise.all(waits.map((wait) => wait.then(() => "ok", (e) => e.code)));
        return new Response(codes.join());
      }
      case "/calls":
        for (let i = 0; i < 3; i++) await this.ctx.exports.Waiter.fetch("http://x/");
        break;
      case "/hoard":
        for (const all = [];;) all.push(new Array(1000).fill(1));
    }
    return new Response("done");
  }
}
export class Waiter extends WorkerEntrypoint {
  fetch() {
    return scheduler.wait(10).then(() => new Response("waited"));
  }
}
"#;

#[test]
fn the_page_about_limits_is_made_of_the_code() {
    let path = root().join("docs/limits.md");
    let page = page();
    if std::env::var_os("BERYL_BLESS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page, "docs/limits.md is old; run this test with BERYL_BLESS=1");
}

fn page() -> String {
    let mut page = String::from(HEAD);
    for limit in Limits::default().table() {
        let value = match (limit.value, limit.unit) {
            (None, _) => "none".to_owned(),
            (Some(bytes), "bytes") if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => {
                format!("{} MiB", bytes >> 20)
            }
            (Some(bytes), "bytes") if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => {
                format!("{} KiB", bytes >> 10)
            }
            (Some(value), unit) => format!("{value} {unit}"),
        };
        let raise = if limit.raise.is_empty() { "fixed" } else { limit.raise };
        let (name, per, breach) = (limit.name, limit.per, limit.breach);
        writeln!(page, "| `{name}` | {value} | {per} | {breach} | {raise} |").unwrap();
    }
    page
}

#[test]
fn the_admin_api_tells_the_limits_of_the_process() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &["--cpu-ms", "1234"]);
    let limits = server.admin(&Ask::get("/v1/limits")).json();
    let limits = limits["limits"].as_array().unwrap();
    let cpu = limits.iter().find(|limit| limit["name"] == "cpu_ms").unwrap();
    assert_eq!((&cpu["value"], &cpu["breach"]), (&1234.into(), &"cpu_limit".into()));
    assert_eq!(limits.len(), Limits::default().table().len());
    assert_eq!(server.admin(&Ask::new("PUT", "/v1/limits")).status, 405);
}

#[test]
fn limits_of_an_app_hold_at_once_and_the_lower_one_counts() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &["--cpu-ms", "5000"]);
    assert_eq!(server.deploy("app", APP).status, 201);
    assert_eq!(server.text("app", "/spin"), "done");
    assert_eq!(patch(&server, r#"{"cpu_ms": 150}"#).json()["limits"]["cpu_ms"], 150);
    for path in ["/spin", "/spin-in-turns"] {
        let answer = ask(&server, path);
        let error = &answer.json()["error"];
        assert_eq!((answer.status, &error["code"]), (503, &"cpu_limit".into()), "{path}");
        assert_eq!(error["limit"], 150, "{error}");
        assert!(error["used"].as_u64().unwrap() >= 150, "{error}");
        if path == "/spin" {
            let place: Vec<_> = error["where"].as_array().unwrap().iter().collect();
            let is_named = |at: &str, name: &str| at.starts_with(name) && at.contains("app.js:");
            assert!(is_named(place[0].as_str().unwrap(), "at spin ("), "{error}");
            assert!(is_named(place[1].as_str().unwrap(), "at fetch ("), "{error}");
        }
        assert!(error["raise"].as_str().unwrap().contains("--cpu-ms"), "{error}");
        assert_eq!(server.text("app", "/"), "done", "after {path}");
    }
    patch(&server, r#"{"cpu_ms": null, "wall_ms": 100}"#);
    assert_eq!(server.text("app", "/spin"), "done");
    let answer = ask(&server, "/wait");
    assert_eq!((answer.status, answer.code()), (503, "wall_limit".to_owned()));
    patch(&server, r#"{"wall_ms": null, "memory_mb": 16}"#);
    let answer = ask(&server, "/hoard");
    assert_eq!((answer.status, answer.code()), (503, "memory_limit".to_owned()));
    let error = &answer.json()["error"];
    assert_eq!(error["limit"], 16 << 20, "{error}");
    assert!(error["used"].as_u64().unwrap() > 8 << 20, "{error}");
    assert!(error["where"][0].as_str().unwrap().contains("fetch (app.js:"), "{error}");
    patch(&server, r#"{"subrequests": 2}"#);
    let answer = ask(&server, "/calls");
    let error = &answer.json()["error"];
    assert_eq!((answer.status, answer.code()), (503, "subrequest_limit".to_owned()));
    assert_eq!((&error["limit"], &error["used"]), (&2.into(), &3.into()), "{error}");
    patch(&server, r#"{"subrequests": null}"#);
    let limits = server.admin(&Ask::get("/v1/apps/app/limits")).json();
    assert_eq!(limits["limits"].to_string(), r#"{"memory_mb":16}"#);
    // They outlive a deployment and a restart.
    assert!(server.deploy("app", &format!("// new\n{APP}")).status < 300);
    server.stop();
    let server = Server::serve(data.path(), &[]);
    let limits = server.admin(&Ask::get("/v1/apps/app/limits")).json();
    assert_eq!(limits["limits"]["memory_mb"], 16);
}

#[test]
fn an_app_may_have_less_storage_timers_events_and_log_than_others() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    assert_eq!(server.deploy("app", APP).status, 201);
    for path in ["/store", "/timers"] {
        assert_eq!(server.text("app", path), "done");
    }
    assert_eq!(server.text("app", "/queue"), "ok,ok,ok");
    let own = r#"{"storage_mb": 4, "timers": 10, "queued_events": 2, "log_bytes": 1000}"#;
    assert_eq!(patch(&server, own).status, 200);
    let answer = ask(&server, "/store");
    assert_eq!((answer.status, answer.code()), (507, "storage_full".to_owned()));
    assert!(answer.json()["error"]["raise"].as_str().unwrap().contains("storage_mb"));
    let timers = server.text("app", "/timers");
    assert!(timers.starts_with("10 QuotaExceededError "), "{timers}");
    assert_eq!(server.text("app", "/queue"), "ok,overloaded,overloaded");
    patch(&server, r#"{"storage_mb": null, "timers": null, "queued_events": null}"#);
    for path in ["/store", "/timers"] {
        assert_eq!(server.text("app", path), "done");
    }
}

#[test]
fn an_event_is_charged_for_all_its_turns_without_limits_of_its_own() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &["--cpu-ms", "300"]);
    assert_eq!(server.deploy("app", APP).status, 201);
    let answer = ask(&server, "/spin-in-turns");
    assert_eq!((answer.status, answer.code()), (503, "cpu_limit".to_owned()), "{}", answer.text());
    assert_eq!(answer.json()["error"]["limit"], 300);
    assert_eq!(server.text("app", "/"), "done");
}

#[test]
fn limits_that_are_none_are_refused() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    assert_eq!(server.deploy("app", APP).status, 201);
    for body in [r#"{"cpu": 1}"#, r#"{"cpu_ms": 0}"#, r#"{"cpu_ms": "1"}"#, "[]"] {
        let answer = patch(&server, body);
        assert_eq!((answer.status, answer.code()), (422, "limit".to_owned()), "{body}");
    }
    assert_eq!(patch(&server, "nonsense").code(), "json");
    let unknown = Ask::new("PATCH", "/v1/apps/unknown/limits").body("{}");
    assert_eq!(server.admin(&unknown).status, 404);
}

fn patch(server: &Server, body: &str) -> Answer {
    server.admin(&Ask::new("PATCH", "/v1/apps/app/limits").body(body))
}

fn ask(server: &Server, path: &str) -> Answer {
    server.ask(&Ask::get(path).host("app.localhost"))
}

const HEAD: &str = "# Limits

On by default, and the same for everybody unless somebody says otherwise. This page is made from the
table in `crates/worker/src/limit_table.rs`; `GET /v1/limits` answers the same for a running server.

The **lower** of two limits holds. A supervisor gives its workers `limits`
([loader](api/loader.md)); an operator gives an app its own, which hold at once:

```sh
curl -X PATCH localhost:7070/v1/apps/hello/limits -H \"authorization: Bearer $TOKEN\" \\
  -d '{\"cpu_ms\": 200, \"wall_ms\": 5000, \"memory_mb\": 64, \"subrequests\": 50}'
```

`storage_mb`, `timers`, `queued_events` and `log_bytes` are the others an app can have.

`null` takes one back. CPU time is that of an event with all it starts, until its answer; after
that, that of each stretch of JavaScript. A breach is answered in the one shape of
[errors](errors.md), with `limit` (how much it is), `used`, `where` (the code that ran) and `raise`
(how to have another one).

SQL has no limits of its own for steps, rows and time: its time is CPU time of the event, its result
is the event's memory, and a cursor gives one row at a time.

| limit | value | each | a breach ends in | how to raise it |
|---|---|---|---|---|
";
