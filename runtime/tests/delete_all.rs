//! A `deleteAll()` that a crash interrupted is finished before anything of the object is used.
//!
//! The files are brought into the state that a crash in the middle of it leaves.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::path::Path;

use server::Server;
use server::client::Ask;
use tempfile::tempdir;

/// A root and its facet, which both count.
const COUNTERS: &str = r#"
import { DurableObject } from "cloudflare:workers";

export class Counter extends DurableObject {
  count() {
    const n = (this.ctx.storage.kv.get("n") ?? 0) + 1;
    this.ctx.storage.kv.put("n", n);
    return n;
  }
  facet() {
    return this.ctx.facets.get("app", () => ({ class: this.ctx.exports.Counter })).count();
  }
}

export default {
  async fetch(request, _env, ctx) {
    const counter = ctx.exports.Counter.getByName("a");
    const isFacet = new URL(request.url).pathname === "/facet";
    return new Response(String(await (isFacet ? counter.facet() : counter.count())));
  },
};
"#;

#[test]
fn fa_44_an_interrupted_deletion_is_finished_when_a_facet_is_used_first() {
    check(&["/facet", "/root"]);
}

#[test]
fn fa_44_an_interrupted_deletion_is_finished_when_the_root_is_used_first() {
    check(&["/root", "/facet"]);
}

fn check(paths: &[&str]) {
    let data = tempdir().unwrap();
    let script = data.path().join("worker.js");
    std::fs::write(&script, COUNTERS).unwrap();
    let files = data.path().join("data");
    let start = || Server::run(&script, &files, 1, &[]);
    let count = |server: &Server, path| server.ask(&Ask::get(path)).text();
    let server = start();
    for expect in ["1", "2"] {
        paths.iter().for_each(|path| assert_eq!(count(&server, path), expect));
    }
    server.stop();
    note(&files);
    let server = start();
    for expect in ["1", "2"] {
        paths.iter().for_each(|path| assert_eq!(count(&server, path), expect, "{path}"));
    }
    server.stop();
    let server = start();
    paths.iter().for_each(|path| assert_eq!(count(&server, path), "3", "{path}"));
}

/// Writes the note that a deletion of the root with facet 1 begins with.
fn note(files: &Path) {
    let folder = files.join("do/Counter");
    let index = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let index = index.into_iter().find(|path| path.extension().is_some_and(|end| end == "facets"));
    let numbers = [2_u16, 0, 1].map(u16::to_le_bytes).concat();
    std::fs::write(index.unwrap().with_extension("unfinished"), [b"beryl-u1", &*numbers].concat())
        .unwrap();
}
