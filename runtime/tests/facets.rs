//! `kill -9` while facets are deleted and cloned: afterwards a tree is there as a whole, or not at
//! all (FA-29, FA-32).

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::fs;
use std::thread;

use serde_json::Value;
use server::client::Ask;
use server::{Server, wait_for};
use tempfile::tempdir;

const SCRIPT: &str = r#"
import { DurableObject } from "cloudflare:workers";

const CHILDREN = ["a", "b", "c", "d", "e"];

export class Node extends DurableObject {
  set(value) {
    this.ctx.storage.kv.put("value", value);
  }
  read() {
    return this.ctx.storage.kv.get("value") ?? null;
  }
  child(name) {
    return this.ctx.facets.get(name, () => ({ class: this.ctx.exports.Node }));
  }
  async setTree(value) {
    this.set(value);
    for (const name of CHILDREN) await this.child(name).set(value);
  }
  async readTree() {
    return [this.read(), ...await Promise.all(CHILDREN.map((name) => this.child(name).read()))];
  }
}

export class Root extends Node {
  async change(round) {
    await this.child("source").setTree(round);
    this.ctx.facets.clone("source", "copy");
    this.ctx.facets.delete("source");
    console.log(`<changed ${round}>`);
  }
  async state() {
    return [await this.child("source").readTree(), await this.child("copy").readTree()];
  }
}

export default {
  async fetch(request, _env, ctx) {
    const [method, round] = new URL(request.url).pathname.slice(1).split("/");
    const root = ctx.exports.Root.getByName("it");
    if (method === "state") return Response.json(await root.state());
    for (let next = Number(round); next < Number(round) + 1000; next++) await root.change(next);
    return new Response("done");
  },
};
"#;

#[test]
fn fa_29_trees_of_facets_are_deleted_and_cloned_as_a_whole_also_by_kill_9() {
    let data = tempdir().unwrap();
    let script = data.path().join("worker.js");
    fs::write(&script, SCRIPT).unwrap();
    let start = || Server::run(&script, &data.path().join("data"), 1, &[]);
    for round in 0..8_u64 {
        let server = start();
        let port = server.port;
        let changes = thread::spawn(move || {
            // The process is killed before the answer comes.
            let _ = server::client::send(port, &Ask::get(&format!("/change/{}", round * 1000)));
        });
        // Somewhere in the change after some others.
        let line = format!("<changed {}>", round * 1000 + 2 + round % 3);
        wait_for(&line, || server.output().contains(&line).then_some(()));
        server.kill();
        changes.join().unwrap();
        let server = start();
        let answer = server.ask(&Ask::get("/state"));
        let state: Value = serde_json::from_str(&answer.text()).unwrap();
        let [source, copy] = [0, 1].map(|at| state[at].as_array().unwrap().clone());
        assert!(copy.iter().all(|value| *value == copy[0]), "a part of a clone: {state}");
        let whole = source.iter().all(|value| *value == source[0]);
        // While it is being filled, the later ones still have nothing.
        let filling = source.iter().skip_while(|value| **value == source[0]).all(Value::is_null);
        assert!(whole || filling && !source[0].is_null(), "a part of a tree: {state}");
        server.kill();
    }
}
