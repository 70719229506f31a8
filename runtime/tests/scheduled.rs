//! `scheduled()` handlers run when their cron pattern says so. The clock is moved, not waited for.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::fs;

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
