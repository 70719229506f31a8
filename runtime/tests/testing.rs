//! `beryl test`: which cases there are, how they end, and what is told of them.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use server::{Ended, beryl, ended};
use tempfile::tempdir;

/// What became of one run.
struct Run {
    ended: Ended,
    /// The lines of the report after the first.
    cases: Vec<Value>,
    first: Value,
}

impl Run {
    fn of(file: &Path, more: &[&str]) -> Run {
        let report = file.with_extension("report");
        let mut command = beryl("test");
        command.arg(file).arg("--report").arg(&report).args(more);
        let ended = ended(&mut command);
        let text = fs::read_to_string(&report).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let mut lines: Vec<Value> = lines.collect();
        let first = if lines.is_empty() { Value::Null } else { lines.remove(0) };
        Run { ended, cases: lines, first }
    }

    /// `case outcome` of all.
    fn outcomes(&self) -> Vec<String> {
        let text = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
        self.cases
            .iter()
            .map(|line| format!("{} {}", text(line, "case"), text(line, "outcome")))
            .collect()
    }

    #[track_caller]
    fn expect(&self, outcomes: &[&str], code: i32) {
        assert_eq!(self.outcomes(), outcomes, "{}", self.ended.output);
        assert_eq!(self.ended.code, Some(code), "{}", self.ended.output);
    }
}

fn worker(source: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempdir().unwrap();
    let path = dir.path().join("worker.js");
    fs::write(&path, source).unwrap();
    (dir, path)
}

/// A document of services whose only module is `source`.
fn document(services: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempdir().unwrap();
    let services: Vec<Value> = services
        .iter()
        .map(|(name, source)| {
            let module = json!({ "name": "main.js", "type": "esModule", "text": source });
            json!({ "name": name, "kind": "worker", "worker": { "modules": [module] } })
        })
        .collect();
    let path = dir.path().join("suite.json");
    fs::write(&path, json!({ "wdtest": 1, "services": services }).to_string()).unwrap();
    (dir, path)
}

#[test]
fn cases_run_in_order_and_end_as_they_should() {
    let (_dir, path) = worker(
        r#"
import { WorkerEntrypoint } from "cloudflare:workers";
export class Z extends WorkerEntrypoint {
  async test(controller) { if (!(this.env && this.ctx && controller)) throw new Error("no"); }
}
export class Plain { test() {} }
export const b = { test() { throw new TypeError("b is broken"); } };
export const a = {
  test(controller, env, ctx) { ctx.waitUntil(Promise.reject(new Error("later"))); },
};
export const c = { test() { return new Promise(() => {}); } };
export const d = {
  test() { Promise.reject(new Error("nobody looks")); setTimeout(() => {}, 1e6); },
};
export default { test() { if (this !== module.exports) return; } , fetch() {} };
const module = { exports: null };
"#,
    );
    let run = Run::of(&path, &["--jobs", "1"]);
    run.expect(
        &[
            "worker pass",
            "worker:a fail",
            "worker:b fail",
            "worker:c fail",
            "worker:d pass",
            "worker:Z pass",
        ],
        1,
    );
    assert_eq!(run.cases[2]["message"], "TypeError: b is broken");
    assert!(run.cases[3]["message"].as_str().unwrap().contains("had hung"), "{}", run.cases[3]);
}

#[test]
fn every_case_of_a_worker_has_storage_of_its_own() {
    let (_dir, path) = worker(
        r#"
import { DurableObject } from "cloudflare:workers";
export class Counter extends DurableObject {
  add() {
    const n = (this.ctx.storage.kv.get("n") ?? 0) + 1;
    this.ctx.storage.kv.put("n", n);
    return n;
  }
}
const first = { async test(controller, env, ctx) {
  const n = await ctx.exports.Counter.getByName("a").add();
  if (n !== 1) throw new Error(`counted ${n}`);
} };
export const one = first;
export const two = first;
"#,
    );
    Run::of(&path, &[]).expect(&["worker:one pass", "worker:two pass"], 0);
}

#[test]
fn tests_move_the_clock_and_send_objects_out_of_memory() {
    let (_dir, path) = worker(
        r#"
import { DurableObject } from "cloudflare:workers";
export class Sleeper extends DurableObject {
  awake = Math.random();
  awoken() { return this.awake; }
  async sleep() { await this.ctx.storage.setAlarm(Date.now() + 3600_000); }
  alarm() { this.ctx.storage.kv.put("rang", true); }
  rang() { return this.ctx.storage.kv.get("rang") === true; }
}
export const clock = { async test(controller, env, ctx) {
  const stub = ctx.exports.Sleeper.getByName("a");
  await stub.sleep();
  if (await stub.rang()) throw new Error("too early");
  await controller.advanceClock(3600_000);
  for (let i = 0; i < 500 && !(await stub.rang()); i++) await scheduler.wait(5);
  if (!(await stub.rang())) throw new Error("no alarm");
} };
export const evict = { async test(controller, env, ctx) {
  const stub = ctx.exports.Sleeper.getByName("a");
  const before = await stub.awoken();
  if (await stub.awoken() !== before) throw new Error("another instance too early");
  if (!controller.evict(stub)) throw new Error("it is busy");
  if (await stub.awoken() === before) throw new Error("still the same instance");
} };
"#,
    );
    Run::of(&path, &[]).expect(&["worker:clock pass", "worker:evict pass"], 0);
}

#[test]
fn services_of_a_document_share_one_process_and_reach_each_other() {
    let counting = "let n = 0;
        export const a = { test() { n++; gc(); console.log('said by a'); } };
        export const b = { test() { if (n !== 1) throw new Error('not shared'); } };";
    let (_dir, path) = document(&[("first", counting), ("second", "export default {}")]);
    let run = Run::of(&path, &[]);
    run.expect(&["first:a pass", "first:b pass"], 0);
    assert!(run.ended.output.contains("said by a"), "{}", run.ended.output);
    Run::of(&path, &["--filter", "first:b"]).expect(&["first:b fail"], 1);
    Run::of(&path, &["--filter", "nobody"]).expect(&[], 1);
}

#[test]
fn what_is_missing_is_skipped_and_never_passes() {
    let (_dir, path) = document(&[(
        "w",
        "import dgram, { createSocket } from 'node:dgram';
         const { Socket } = dgram;
         export const uses = { test() { createSocket('udp4'); } };
         export const catches = { test() { try { new Socket(); } catch {} } };
         export const none = { test() {} };",
    )]);
    let run = Run::of(&path, &[]);
    run.expect(&["w:catches skip", "w:none pass", "w:uses skip"], 0);
    assert_eq!(run.cases[0]["reason"], "missing node:dgram.Socket");
}

#[test]
fn a_case_that_takes_too_long_ends_and_the_rest_goes_on() {
    let (_dir, path) = document(&[(
        "w",
        "export const a = { test() { return new Promise((r) => setTimeout(r, 60_000)); } };
         export const b = { test() {} };",
    )]);
    Run::of(&path, &["--timeout", "300ms"]).expect(&["w:a timeout", "w:b pass"], 1);
}

#[test]
fn exports_that_are_nothing_to_call_are_a_start_up_error() {
    let (_dir, path) = document(&[("w", "export const x = 'text'; export default { test() {} };")]);
    let run = Run::of(&path, &[]);
    run.expect(&["(start) fail"], 1);
    let text = "Incorrect type for map entry 'x': the provided value is not of type \
                'function or ExportedHandler'.";
    assert!(run.cases[0]["message"].as_str().unwrap().contains(text), "{}", run.cases[0]);
}

#[test]
fn a_report_names_unknown_flags_and_junit_has_every_case() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("suite.json");
    let module = json!({ "name": "w", "type": "esModule", "text": "export default { test() {} }" });
    let flags = ["nodejs_compat", "no_such_flag"];
    let worker = json!({ "modules": [module], "compatibilityFlags": flags });
    let services = json!([{ "name": "w", "kind": "worker", "worker": worker }]);
    fs::write(&path, json!({ "services": services }).to_string()).unwrap();
    let junit = dir.path().join("out.xml");
    let run = Run::of(&path, &["--junit", junit.to_str().unwrap()]);
    run.expect(&["w pass"], 0);
    assert_eq!(run.first["unknownFlags"], json!(["no_such_flag"]));
    let xml = fs::read_to_string(&junit).unwrap();
    assert!(xml.contains("<testcase classname=\"w\" name=\"default\""), "{xml}");
}
