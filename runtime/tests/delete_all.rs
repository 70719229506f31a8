//! A `deleteAll()` that a crash interrupted is finished before anything of the object is used.
//!
//! The files are brought into the state that a crash in the middle of it leaves; and processes are
//! killed at any moment.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use server::client::Ask;
use server::{Server, wait_for};
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

/// An object with two facets: all of them have the same number, or nothing.
const TREE: &str = r#"
import { DurableObject } from "cloudflare:workers";

export class Tree extends DurableObject {
  part(name) {
    return this.ctx.facets.get(name, () => ({ class: this.ctx.exports.Part }));
  }
  async put(number) {
    this.ctx.storage.kv.put("number", number);
    await this.part("a").put(number);
    await this.part("b").put(number);
  }
  async read() {
    const own = this.ctx.storage.kv.get("number") ?? 0;
    return [own, await this.part("a").read(), await this.part("b").read()];
  }
  async erase() {
    await this.ctx.storage.deleteAll();
  }
}

export class Part extends DurableObject {
  put(number) {
    this.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS t (number)");
    this.ctx.storage.sql.exec("DELETE FROM t");
    this.ctx.storage.sql.exec("INSERT INTO t VALUES (?)", number);
  }
  read() {
    this.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS t (number)");
    return this.ctx.storage.sql.exec("SELECT number FROM t").toArray()[0]?.number ?? 0;
  }
}

export default {
  async fetch(request, _env, ctx) {
    const [, method, number] = new URL(request.url).pathname.split("/");
    return Response.json(await ctx.exports.Tree.getByName("it")[method](Number(number)) ?? null);
  },
};
"#;

/// G10: at whatever moment the process is killed, a deletion has happened to the whole tree or not
/// at all, and one that was answered has happened.
#[test]
fn st_43_a_deletion_is_all_or_nothing_also_by_kill_9() {
    let data = tempdir().unwrap();
    let script = data.path().join("worker.js");
    std::fs::write(&script, TREE).unwrap();
    let mut number = 0;
    let mut in_deletion = 0;
    for round in 0..rounds() {
        let server = Arc::new(Server::run(&script, &data.path().join("data"), 1, &[]));
        let answered = Arc::new(AtomicUsize::new(0));
        let client = thread::spawn({
            let (server, answered) = (Arc::clone(&server), Arc::clone(&answered));
            move || put_and_erase(&server, number, &answered)
        });
        // From before the first answer to some deletions later, in steps of single answers.
        let answers = round % 7;
        wait_for("answers", || Some(()).filter(|()| answered.load(Ordering::Relaxed) >= answers));
        // Not always right after an answer: as long as a few hundred turns of this loop.
        (0..(round * 7919) % 400).for_each(|_| thread::yield_now());
        server.kill_now();
        let (last, was_deleted) = client.join().unwrap();
        in_deletion += usize::from(!was_deleted);
        drop(server);
        let server = Server::run(&script, &data.path().join("data"), 1, &[]);
        let found = server.ask(&Ask::get("/read")).json();
        let found: Vec<u64> = serde_json::from_value(found).unwrap();
        let allowed = if was_deleted {
            let next = last + 1;
            vec![[0, 0, 0], [next, 0, 0], [next, next, 0], [next, next, next]]
        } else {
            vec![[last, last, last], [0, 0, 0]]
        };
        assert!(
            allowed.iter().any(|allowed| *allowed == *found),
            "round {round}: {found:?}; deleted {was_deleted}, last {last}\n{}",
            server.output()
        );
        assert_eq!(server.ask(&Ask::get("/erase")).text(), "null");
        number = last + 2;
        server.kill();
    }
    assert!(in_deletion > 0, "no process was killed in a deletion");
}

/// Puts and erases in turns until the process is gone; the last number that was put, or begun, and
/// whether a deletion was answered since.
fn put_and_erase(server: &Server, first: u64, answered: &AtomicUsize) -> (u64, bool) {
    let mut number = first;
    loop {
        if server.try_ask(&Ask::get(&format!("/put/{}", number + 1))).is_err() {
            return (number, true);
        }
        number += 1;
        answered.fetch_add(1, Ordering::Relaxed);
        if server.try_ask(&Ask::get("/erase")).is_err() {
            return (number, false);
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// `make torture` asks for more.
fn rounds() -> usize {
    if std::env::var_os("BERYL_TORTURE").is_some() { 400 } else { 28 }
}
