//! Earlier states of storage, seen from JavaScript: deletions are recovered (ST-43, ST-44), history
//! is switched off for the process or a namespace, and the limit of a database holds (ST-35).

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use server::Server;
use server::client::Ask;
use tempfile::tempdir;

const SCRIPT: &str = r#"
import { DurableObject } from "cloudflare:workers";

class Store extends DurableObject {
  put(value) {
    this.ctx.storage.kv.put("value", value);
  }
  read() {
    return this.ctx.storage.kv.get("value") ?? "nothing";
  }
  mark() {
    return this.ctx.storage.getCurrentBookmark();
  }
  facet(method, argument) {
    const app = this.ctx.facets.get("app", () => ({ class: this.ctx.exports.Kept }));
    return app[method](argument);
  }
  async deleteAll() {
    await this.ctx.storage.deleteAll();
  }
  async restore(bookmark) {
    const undo = await this.ctx.storage.onNextSessionRestoreBookmark(bookmark);
    this.ctx.waitUntil(scheduler.wait(0).then(() => this.ctx.abort()));
    return undo;
  }
  async fill() {
    const { sql } = this.ctx.storage;
    sql.exec("CREATE TABLE IF NOT EXISTS t (b)");
    await this.ctx.storage.sync();
    try {
      for (;;) sql.exec("INSERT INTO t VALUES (zeroblob(3000))");
    } catch (error) {
      let later = "nothing";
      try {
        sql.exec("SELECT 1");
      } catch (error) {
        later = error.message;
      }
      return [error.message, later];
    }
  }
  rows() {
    return this.ctx.storage.sql.exec("SELECT count(*) AS n FROM t").one().n;
  }
}

export class Kept extends Store {}
export class Plain extends Store {}

export default {
  async fetch(request, env, ctx) {
    const [, kind, name, method] = new URL(request.url).pathname.split("/");
    try {
      const stub = ctx.exports[kind].getByName(name);
      const answer = await stub[method](...await request.json());
      return Response.json(answer ?? null);
    } catch (error) {
      return Response.json(`${error.name}: ${error.message}`);
    }
  },
};
"#;

/// A worker whose class `Plain` keeps no history.
fn project(folder: &Path) -> PathBuf {
    std::fs::write(folder.join("worker.js"), SCRIPT).unwrap();
    let config = json!({
        "name": "states",
        "main": "worker.js",
        "compatibility_date": "2026-04-01",
        "durable_objects": { "bindings": [
            { "name": "KEPT", "class_name": "Kept" },
            { "name": "PLAIN", "class_name": "Plain", "history": false },
        ] },
    });
    let path = folder.join("wrangler.json");
    std::fs::write(&path, config.to_string()).unwrap();
    path
}

fn call(server: &Server, path: &str, arguments: Value) -> Value {
    let ask = Ask::new("POST", path).body(arguments.to_string());
    server.ask(&ask).json()
}

fn mark(server: &Server, object: &str) -> String {
    let mark = call(server, &format!("{object}/mark"), json!([]));
    mark.as_str().unwrap().to_owned()
}

/// Recovers a state; an object that begins anew may need a moment.
fn restore(server: &Server, object: &str, bookmark: &str, expected: &str) -> String {
    let undo = call(server, &format!("{object}/restore"), json!([bookmark]));
    server::wait_for("the recovered state", || {
        let found = call(server, &format!("{object}/read"), json!([]));
        Some(()).filter(|()| found == expected)
    });
    undo.as_str().unwrap().to_owned()
}

#[test]
fn st_43_and_st_44_what_delete_all_deleted_is_recovered_and_deleted_again() {
    let data = tempdir().unwrap();
    let script = project(data.path());
    let server = Server::run(&script, &data.path().join("data"), 2, &[]);
    call(&server, "/Kept/a/put", json!(["before"]));
    call(&server, "/Kept/a/facet", json!(["put", "of the facet"]));
    let before = mark(&server, "/Kept/a");
    call(&server, "/Kept/a/deleteAll", json!([]));
    assert_eq!(call(&server, "/Kept/a/read", json!([])), "nothing");
    let after = mark(&server, "/Kept/a");
    assert!(after > before, "{after} after {before}");
    let undo = restore(&server, "/Kept/a", &before, "before");
    // Facets have histories of their own, and theirs went with them.
    assert_eq!(call(&server, "/Kept/a/facet", json!(["read"])), "nothing");
    restore(&server, "/Kept/a", &undo, "nothing");
    restore(&server, "/Kept/a", &before, "before");
    server.stop();
    let server = Server::run(&script, &data.path().join("data"), 2, &[]);
    assert_eq!(call(&server, "/Kept/a/read", json!([])), "before");
}

#[test]
fn a_namespace_without_history_has_no_bookmarks_and_others_do() {
    let data = tempdir().unwrap();
    let script = project(data.path());
    let server = Server::run(&script, &data.path().join("data"), 1, &[]);
    for kind in ["Kept", "Plain"] {
        call(&server, &format!("/{kind}/a/put"), json!(["value"]));
    }
    assert_eq!(call(&server, "/Plain/a/mark", json!([])), NO_HISTORY);
    assert_eq!(call(&server, "/Plain/a/restore", json!(["x"])), NO_HISTORY);
    assert_eq!(mark(&server, "/Kept/a").len(), 59);
    server.stop();
    assert!(histories(data.path(), "states-Kept") > 0);
    assert_eq!(histories(data.path(), "states-Plain"), 0);
}

#[test]
fn a_history_that_was_switched_off_for_a_while_begins_anew() {
    let data = tempdir().unwrap();
    let script = project(data.path());
    let run = |flags: &[&str]| Server::run(&script, &data.path().join("data"), 1, flags);
    let server = run(&[]);
    call(&server, "/Kept/a/put", json!(["one"]));
    let one = mark(&server, "/Kept/a");
    call(&server, "/Kept/a/put", json!(["two"]));
    server.stop();
    let server = run(&["--no-history"]);
    assert_eq!(call(&server, "/Kept/a/mark", json!([])), NO_HISTORY);
    call(&server, "/Kept/a/put", json!(["three"]));
    server.stop();
    // What was there when history began is its first state, once the log is copied.
    let server = run(&[]);
    call(&server, "/Kept/a/put", json!(["four"]));
    server.stop();
    let server = run(&[]);
    let four = mark(&server, "/Kept/a");
    call(&server, "/Kept/a/put", json!(["five"]));
    let refused = call(&server, "/Kept/a/restore", json!([one]));
    assert_eq!(refused, "Error: The bookmark is not one of this Durable Object's storage.");
    restore(&server, "/Kept/a", &four, "four");
    server.stop();
}

#[test]
fn st_35_a_full_database_breaks_its_object_and_nobody_else() {
    let data = tempdir().unwrap();
    let script = project(data.path());
    let flags = ["--storage-bytes", "2000000"];
    let server = Server::run(&script, &data.path().join("data"), 1, &flags);
    let full = "database or disk is full: SQLITE_FULL";
    assert_eq!(call(&server, "/Kept/a/fill", json!([])), broken(full));
    // The next instance has what was committed.
    assert_eq!(call(&server, "/Kept/a/rows", json!([])), 0);
    call(&server, "/Kept/b/put", json!(["b"]));
    assert_eq!(call(&server, "/Kept/b/read", json!([])), "b");
}

/// What a caller is told when the answer was held by an object that broke.
fn broken(cause: &str) -> Value {
    format!("Error: {cause}").into()
}

/// Files of histories below the folder of a namespace.
fn histories(data: &Path, namespace: &str) -> usize {
    let folder = data.join("data/do").join(namespace);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_string_lossy().ends_with("-history")).count()
}

const NO_HISTORY: &str = "Error: This Durable Object's storage back-end does not implement \
     point-in-time recovery.";
