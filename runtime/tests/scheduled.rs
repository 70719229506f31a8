//! `scheduled()` handlers run when their cron pattern says so. The clock is moved, not waited for.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::fs;

use serde_json::json;
use server::client::Ask;
use server::{Server, beryl, ended, wait_for};
use tempfile::tempdir;

const SCRIPT: &str = r#"
export default {
  scheduled(controller, env, ctx) {
    const minute = new Date(controller.scheduledTime).getUTCMinutes();
    const kind = [controller.constructor.name, Object.keys(controller).join(), env.NAME];
    console.log(`<${controller.cron} at minute ${minute % 5}, ${kind.join(" ")}>`);
    ctx.waitUntil(scheduler.wait(1).then(() => console.log("<background>")));
  },
};
"#;

const CLASS: &str = r#"
import { WorkerEntrypoint } from "cloudflare:workers";
export default class extends WorkerEntrypoint {
  scheduled(controller) {
    console.log(`<${controller.cron} by a class, ${arguments.length}, ${this.env.NAME}>`);
  }
}
"#;

fn start(script: &str, crons: &[&str]) -> (tempfile::TempDir, Server) {
    let data = tempdir().unwrap();
    let path = data.path().join("worker.js");
    fs::write(&path, script).unwrap();
    let mut more = vec!["--debug-port", "0", "--var", "NAME=it"];
    more.extend(crons.iter().flat_map(|cron| ["--cron", cron]));
    let server = Server::run(&path, &data.path().join("data"), 2, &more);
    (data, server)
}

fn count(server: &Server, text: &str) -> usize {
    server.output().matches(text).count()
}

#[test]
fn a_handler_runs_whenever_its_pattern_fits() {
    let (_data, server) = start(SCRIPT, &["*/5 * * * *"]);
    let line = "<*/5 * * * * at minute 0, ScheduledController scheduledTime,cron it>";
    for runs in 1..=3 {
        server.advance(5 * 60_000);
        wait_for("the run", || (count(&server, line) >= runs).then_some(()));
    }
    wait_for("waitUntil", || (count(&server, "<background>") >= 3).then_some(()));
}

#[test]
fn a_class_is_a_handler_too_and_patterns_do_not_mix() {
    let (_data, server) = start(CLASS, &["0 * * * *", "0 0 1 1 *"]);
    server.advance(60 * 60_000);
    let line = "<0 * * * * by a class, 1, it>";
    wait_for("the run", || (count(&server, line) > 0).then_some(()));
    assert_eq!(count(&server, "<0 0 1 1 *"), 0);
}

#[test]
fn a_worker_without_a_handler_says_so_in_the_log() {
    let (_data, server) = start("export default {};", &["* * * * *"]);
    server.advance(60_000);
    let line = "Handler does not export a scheduled() function.";
    wait_for("the error", || server.output().contains(line).then_some(()));
}

#[test]
fn a_pattern_that_is_none_is_refused_at_the_start() {
    let data = tempdir().unwrap();
    let path = data.path().join("worker.js");
    fs::write(&path, SCRIPT).unwrap();
    let ended = ended(beryl("run").arg(&path).args(["--cron", "every day"]));
    assert_eq!(ended.code, Some(2));
    assert!(ended.output.contains("--cron \"every day\": is no cron pattern"), "{}", ended.output);
}

/// An app in each of the forms that have a handler.
const APPS: [(&str, &str); 3] = [
    (
        "object",
        "export default {
           fetch() { return new Response('it') },
           scheduled({ cron, scheduledTime }, env, ctx) {
             console.log(`<object ${cron} ${new Date(scheduledTime).getUTCMinutes()} ${env.A}>`);
             ctx.waitUntil(scheduler.wait(1).then(() => console.log('<later>')));
           },
         };",
    ),
    (
        "entrypoint",
        "import { WorkerEntrypoint } from 'cloudflare:workers';
         export default class extends WorkerEntrypoint {
           fetch() { return new Response('it') }
           scheduled({ cron, scheduledTime }) {
             const minute = new Date(scheduledTime).getUTCMinutes();
             console.log(`<entrypoint ${cron} ${minute} ${this.env.A}>`);
           }
         }",
    ),
    (
        "class",
        "import { DurableObject } from 'cloudflare:workers';
         export class App extends DurableObject {
           fetch() { return new Response(`${this.ctx.storage.kv.get('runs')}`) }
           scheduled({ cron, scheduledTime }) {
             const runs = (this.ctx.storage.kv.get('runs') ?? 0) + 1;
             this.ctx.storage.kv.put('runs', runs);
             const minute = new Date(scheduledTime).getUTCMinutes();
             console.log(`<class ${cron} ${minute} ${this.env.A}>`);
           }
         }",
    ),
];

#[test]
fn crons_of_deployed_apps_run_also_after_a_restart() {
    let data = tempdir().unwrap();
    let serve = || Server::serve(data.path(), &["--debug-port", "0", "--shards", "2"]);
    let server = serve();
    let deployment = |source: &str, crons: &[&str]| {
        json!({
            "main": "app.js", "modules": { "app.js": source }, "vars": { "A": 1 }, "crons": crons,
        })
    };
    for (app, source) in APPS {
        let answer = server.deploy_json(app, &deployment(source, &["0 * * * *"]));
        assert_eq!(answer.status, 201, "{app}: {}", answer.text());
    }
    let runs = |server: &Server, app: &str| {
        wait_for("the run", || {
            (count(server, &format!("<{app} 0 * * * * 0 1>")) > 0).then_some(())
        });
    };
    server.advance(60 * 60_000);
    APPS.iter().for_each(|(app, _)| runs(&server, app));
    wait_for("waitUntil", || (count(&server, "<later>") > 0).then_some(()));
    server.kill();
    let server = serve();
    server.advance(60 * 60_000);
    APPS.iter().for_each(|(app, _)| runs(&server, app));
    assert_eq!(server.text("class", "/"), "2");
    let answer = server.deploy_json("class", &deployment(APPS[2].1, &[]));
    assert_eq!(answer.status, 200, "{}", answer.text());
    server.advance(60 * 60_000);
    let both =
        || (count(&server, "<object 0") > 1 && count(&server, "<entrypoint 0") > 1).then_some(());
    wait_for("the next runs", both);
    assert_eq!(server.text("class", "/"), "2");
}

#[test]
fn crons_without_a_handler_are_refused_with_the_deployment() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    let source = "export default { fetch() { return new Response('it') } };";
    let body = json!({
        "main": "app.js", "modules": { "app.js": source }, "crons": ["* * * * *"],
    });
    let answer = server.deploy_json("a", &body);
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert!(answer.text().contains("has scheduled()"), "{}", answer.text());
    assert_eq!(server.ask(&Ask::get("/").host("a.localhost")).status, 404);
}
