//! Loads of dynamic workers: what waits when as many isolates live as may, and code that changes
//! under its name.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::fs;

use server::client::Ask;
use server::{Server, wait_for};
use tempfile::tempdir;

const SCRIPT: &str = r#"
const code = (body) => ({
  compatibilityDate: "2026-04-01",
  mainModule: "main.js",
  modules: { "main.js": `export default { async fetch() { ${body} } }` },
});
let version = 1;
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (url.pathname === "/many") {
      // Each holds its isolate until it is answered.
      const body = "await scheduler.wait(20); return new Response('done');";
      const one = async (name) => {
        try {
          const worker = env.LOADER.get(name, () => code(body));
          return await (await worker.getEntrypoint().fetch("http://x/")).text();
        } catch (error) {
          return error.message;
        }
      };
      const names = Array.from({ length: 24 }, (_, index) => `worker ${index}`);
      return Response.json(await Promise.all(names.map(one)));
    }
    if (url.pathname === "/log") {
      const worker = env.LOADER.load(code("console.log('said aloud'); throw new Error('thrown');"));
      try {
        await worker.getEntrypoint().fetch("http://x/");
      } catch {}
      return new Response("done");
    }
    if (url.pathname === "/idle") {
      // A counter shows whether an isolate is the one it was.
      const body = "return new Response(String(globalThis.count = (globalThis.count ?? 0) + 1));";
      const one = async (name) =>
        (await env.LOADER.get(name, () => code(body)).getEntrypoint().fetch("http://x/")).text();
      const first = [await one("a"), await one("a")];
      for (let i = 0; i < 40; i++) await one(`other ${i}`);
      return Response.json([...first, await one("a")]);
    }
    const body = `return new Response("version ${version++}");`;
    return env.LOADER.get("same name", () => code(body)).getEntrypoint().fetch("http://x/");
  },
};
"#;

fn start(shards: usize, more: &[&str]) -> (tempfile::TempDir, Server) {
    let data = tempdir().unwrap();
    let path = data.path().join("worker.js");
    fs::write(&path, SCRIPT).unwrap();
    let server = Server::run(&path, &data.path().join("data"), shards, more);
    (data, server)
}

fn many(server: &Server) -> Vec<String> {
    serde_json::from_str(&server.ask(&Ask::get("/many")).text()).unwrap()
}

#[test]
fn wl_48_loads_beyond_the_limit_wait_for_their_turn() {
    let (_data, server) = start(1, &["--isolates", "6"]);
    for _ in 0..2 {
        assert_eq!(many(&server), vec!["done"; 24], "{}", server.output());
    }
}

#[test]
fn loads_that_may_not_wait_fail_with_the_limit() {
    let (_data, server) = start(1, &["--isolates", "6", "--load-wait-ms", "0"]);
    let answers = many(&server);
    let (done, failed): (Vec<_>, Vec<_>) = answers.iter().partition(|text| *text == "done");
    assert!(!done.is_empty() && !failed.is_empty(), "{answers:?}");
    let text = "too many workers are loaded at a time (limit 6); try again later";
    assert!(failed.iter().all(|failure| *failure == text), "{answers:?}");
}

#[test]
fn wl_7_changed_code_under_one_name_is_reported_if_asked_for() {
    for (flags, is_reported) in [(&["--check-loads"][..], true), (&[], false)] {
        let (_data, server) = start(1, flags);
        for _ in 0..3 {
            assert_eq!(server.ask(&Ask::get("/")).text(), "version 1");
        }
        let line = "the code given for this name changed";
        if is_reported {
            wait_for("the report", || server.output().contains(line).then_some(()));
        }
        let reports = server.output().matches(line).count();
        assert_eq!(reports, usize::from(is_reported), "{}", server.output());
    }
}

/// A shard keeps 32 idle isolates; who has a name keeps its code.
#[test]
fn wl_8_named_isolates_leave_when_many_others_are_used_and_come_back() {
    let (_data, server) = start(1, &[]);
    assert_eq!(server.ask(&Ask::get("/idle")).text(), r#"["1","2","1"]"#);
}

#[test]
fn wl_45_without_tails_what_a_loaded_worker_says_and_throws_is_in_the_log() {
    let (_data, server) = start(1, &[]);
    assert_eq!(server.ask(&Ask::get("/log")).text(), "done");
    for text in ["said aloud", "Uncaught Error: thrown"] {
        wait_for(text, || server.output().contains(text).then_some(()));
    }
}
