//! One app's failure is its own: loops, memory, exceptions and broken files end with a clear code
//! for that app, while the process and the other apps go on serving.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::fs;
use std::path::{Path, PathBuf};

use server::client::Ask;
use server::{Server, wait_for};
use tempfile::{TempDir, tempdir};

/// Does what its path says.
const MOODY: &str = r#"
import { DurableObject } from "cloudflare:workers";
export class App extends DurableObject {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    const { kv } = this.ctx.storage;
    switch (pathname) {
      case "/loop":
        for (;;);
      case "/late-loop":
        await scheduler.wait(1);
        for (;;);
      case "/write-and-loop":
        kv.put("count", 1000);
        for (;;);
      case "/hog": {
        const all = [];
        for (;;) all.push(new Array(100_000).fill(all.length + 0.5));
      }
      case "/optimised-hog": {
        // V8's optimiser dropped the stack check of this loop, and with it every limit.
        const all = [];
        for (;;) all.push(new Array(1000));
      }
      case "/buffers": {
        const all = [];
        for (;;) all.push(new Uint8Array(1 << 20));
      }
      case "/buffers-then-heap": {
        try {
          new ArrayBuffer(2 ** 33);
        } catch {
          for (let all = [];;) all.push(new Array(100_000).fill(all.length + 0.5));
        }
      }
      case "/buffers-then-array": {
        try {
          new ArrayBuffer(2 ** 33);
        } catch {
          return new Response(String(new Array(30_000_000).fill(0.5).length));
        }
      }
      case "/many-refusals":
        for (;;) {
          try {
            new ArrayBuffer(2 ** 33);
          } catch {}
        }
      case "/one-buffer":
        return new Response(String(new ArrayBuffer(2 ** 33).byteLength));
      case "/recursion": {
        const deeper = (n) => deeper(n + 1) + 1;
        return new Response(deeper(0));
      }
      case "/throw":
        throw new RangeError("thrown on purpose");
      case "/reject":
        await scheduler.wait(1);
        throw new TypeError("rejected on purpose");
      case "/throw-text":
        throw "only text";
      case "/nothing":
        return undefined;
      case "/count": {
        const count = (kv.get("count") ?? 0) + 1;
        kv.put("count", count);
        return new Response(String(count));
      }
    }
    return new Response("fine");
  }
}"#;

const HELLO: &str = "export default { fetch() { return new Response('hello') } }";

/// A server with the app `moody` and, to see that others are not disturbed, `calm`.
fn start() -> (TempDir, Server) {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &["--cpu-ms", "200"]);
    for (app, source) in [("moody", MOODY), ("calm", HELLO)] {
        let answer = server.deploy(app, source);
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    (data, server)
}

/// The status and code of a request to `moody` that fails; after it all is well again.
fn failure(server: &Server, path: &str) -> (u16, String) {
    let answer = server.ask(&Ask::get(path).host("moody.localhost"));
    let failure = (answer.status, answer.code());
    assert_eq!(server.text("calm", "/"), "hello", "after {path}");
    assert_eq!(server.text("moody", "/"), "fine", "after {path}");
    failure
}

#[test]
fn do_13_endless_loop_ends_at_the_cpu_limit() {
    let (_data, server) = start();
    for path in ["/loop", "/late-loop", "/write-and-loop"] {
        assert_eq!(failure(&server, path), (503, "cpu_limit".to_owned()), "{path}");
    }
    assert_eq!(server.text("moody", "/count"), "1", "what the loop wrote is taken back");
}

/// Never ends a critical section, in the way its path says.
const BLOCKED: &str = r#"
import { DurableObject } from "cloudflare:workers";
export class App extends DurableObject {
  async fetch(request) {
    const { ctx } = this;
    const { pathname } = new URL(request.url);
    const outside = scheduler.wait(1);
    switch (pathname) {
      case "/never":
        await ctx.blockConcurrencyWhile(() => new Promise(() => {}));
        break;
      case "/outside":
        // It waits for a timer that cannot fire while it waits.
        await ctx.blockConcurrencyWhile(() => outside);
        break;
      case "/transaction":
        await ctx.storage.transaction(async (txn) => {
          await txn.put("lost", 1);
          await new Promise(() => {});
        });
        break;
      case "/nested":
        await ctx.blockConcurrencyWhile(() =>
          ctx.blockConcurrencyWhile(() => new Promise(() => {})));
        break;
      case "/in-time":
        for (let n = 0; n < 3; n++) await ctx.blockConcurrencyWhile(() => scheduler.wait(1));
        return new Response("in time");
    }
    return new Response(await ctx.storage.get("lost") === undefined ? "fine" : "not fine");
  }
}"#;

#[test]
fn do_9_a_critical_section_without_an_end_resets_its_object() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &["--block-ms", "500"]);
    server.deploy("blocked", BLOCKED);
    let expect = "A call to blockConcurrencyWhile() in a Durable Object waited for too long. The \
                  call was canceled and the Durable Object was reset.";
    for path in ["/never", "/outside", "/transaction", "/nested"] {
        let answer = server.ask(&Ask::get(path).host("blocked.localhost"));
        assert_eq!((answer.status, answer.code()), (503, "overloaded".to_owned()), "{path}");
        assert!(answer.text().contains(expect), "{path}: {}", answer.text());
        assert_eq!(server.text("blocked", "/"), "fine", "after {path}");
    }
    assert_eq!(server.text("blocked", "/in-time"), "in time");
}

#[test]
fn others_are_served_after_a_loop_on_the_same_thread() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &["--cpu-ms", "200", "--shards", "1"]);
    server.deploy("moody", MOODY);
    server.deploy("calm", HELLO);
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(failure(&server, "/loop"), (503, "cpu_limit".to_owned())));
        for _ in 0..20 {
            assert_eq!(server.text("calm", "/"), "hello");
        }
    });
}

#[test]
fn buffers_beyond_the_limit_are_refused_and_the_app_goes_on() {
    let (_data, server) = start();
    for path in ["/buffers", "/one-buffer"] {
        let answer = server.ask(&Ask::get(path).host("moody.localhost"));
        assert_eq!((answer.status, answer.code()), (500, "exception".to_owned()), "{path}");
        assert!(answer.text().contains("Array buffer allocation failed"), "{}", answer.text());
        assert_eq!(server.text("moody", "/"), "fine", "after {path}");
    }
}

#[test]
fn what_follows_a_refused_buffer_is_held_to_the_heap_limit() {
    let (_data, server) = start();
    // All of this collects garbage over and over, which may take longer than it may.
    for path in ["/buffers-then-heap", "/buffers-then-array", "/many-refusals"] {
        let (status, code) = failure(&server, path);
        assert!(status == 503 && ["memory_limit", "cpu_limit"].contains(&&*code), "{path} {code}");
    }
    assert!(!server.output().contains("the worker process ended"), "{}", server.output());
}

#[test]
fn endless_loop_at_start_up_or_in_a_constructor_ends_too() {
    let (_data, server) = start();
    let start_up = server.deploy("looping", "for (;;);");
    assert_eq!((start_up.status, start_up.code()), (422, "cpu_limit".to_owned()));
    assert_eq!(server.ask(&Ask::get("/").host("looping.localhost")).status, 404);

    let constructor = "import { DurableObject } from 'cloudflare:workers';
        export class App extends DurableObject {
          constructor(ctx, env) { super(ctx, env); for (;;); }
          fetch() {} }";
    let answer = server.deploy("looping", constructor);
    assert!([201, 422].contains(&answer.status), "{}", answer.text());
    if answer.status == 201 {
        let answer = server.ask(&Ask::get("/").host("looping.localhost"));
        assert_eq!((answer.status, answer.code()), (503, "cpu_limit".to_owned()));
    }
    assert_eq!(server.text("calm", "/"), "hello");
    let mended = server.deploy("looping", HELLO);
    assert!(mended.status < 300, "{}", mended.text());
    assert_eq!(server.text("looping", "/"), "hello");
}

#[test]
fn do_4_class_that_throws_in_its_constructor_can_be_mended() {
    let (_data, server) = start();
    let source = "import { DurableObject } from 'cloudflare:workers';
        export class App extends DurableObject {
          constructor(ctx, env) { super(ctx, env); throw new RangeError('not today'); }
          fetch() {} }";
    let answer = server.deploy("fragile", source);
    assert!([201, 422].contains(&answer.status), "{}", answer.text());
    if answer.status == 201 {
        for _ in 0..2 {
            let answer = server.ask(&Ask::get("/").host("fragile.localhost"));
            assert_eq!((answer.status, answer.code()), (500, "exception".to_owned()));
            assert_eq!(answer.json()["error"]["message"], "RangeError: not today");
        }
    }
    assert!(server.deploy("fragile", HELLO).status < 300);
    assert_eq!(server.text("fragile", "/"), "hello");
}

#[test]
fn do_13_memory_hog_ends_at_the_memory_limit() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    server.deploy("moody", MOODY);
    server.deploy("calm", HELLO);
    for path in ["/hog", "/hog", "/optimised-hog"] {
        assert_eq!(failure(&server, path), (503, "memory_limit".to_owned()), "{path}");
    }
}

#[test]
fn exception_is_answered_in_the_one_shape() {
    let (_data, server) = start();
    for (path, message) in [
        ("/throw", "RangeError: thrown on purpose"),
        ("/reject", "TypeError: rejected on purpose"),
        ("/throw-text", "Error: only text"),
        ("/recursion", "RangeError: Maximum call stack size exceeded"),
    ] {
        let answer = server.ask(&Ask::get(path).host("moody.localhost"));
        assert_eq!((answer.status, answer.code()), (500, "exception".to_owned()), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        assert_eq!(answer.json()["error"]["message"], message, "{path}");
        assert_eq!(server.text("moody", "/"), "fine", "after {path}");
    }
    let nothing = server.ask(&Ask::get("/nothing").host("moody.localhost"));
    assert_eq!((nothing.status, nothing.code()), (500, "exception".to_owned()));
    let output = || Some(()).filter(|()| server.output().contains("rejected on purpose"));
    wait_for("the exception in the log", output);
}

#[test]
fn app_with_a_corrupt_database_fails_alone() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    server.deploy("moody", MOODY);
    assert_eq!(server.text("moody", "/count"), "1");
    let of_moody = databases(data.path());
    assert_eq!(of_moody.len(), 2, "one of the supervisor, one of the app: {of_moody:?}");
    server.deploy("calm", &MOODY.replace("fine", "calm"));
    assert_eq!(server.text("calm", "/count"), "1");
    server.stop();

    let of_app = of_moody.iter().max_by_key(|path| path.as_os_str().len()).unwrap();
    corrupt(of_app);
    let server = Server::serve(data.path(), &[]);
    for _ in 0..2 {
        let answer = server.ask(&Ask::get("/count").host("moody.localhost"));
        assert_eq!((answer.status, answer.code()), (500, "storage".to_owned()));
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        let folder = data.path().to_str().unwrap();
        assert!(!message.contains(folder), "a path of the machine in {message:?}");
        assert!(server.text("calm", "/count").parse::<u32>().is_ok());
    }
    assert_eq!(server.admin(&Ask::get("/v1/apps")).status, 200);
    assert_eq!(server.admin(&Ask::new("DELETE", "/v1/apps/moody")).status, 204);
    assert_eq!(server.deploy("moody", MOODY).status, 201);
    assert_eq!(server.text("moody", "/count"), "1");
}

#[test]
fn supervisor_with_a_corrupt_database_fails_alone() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    server.deploy("moody", MOODY);
    assert_eq!(server.text("moody", "/count"), "1");
    let of_moody = databases(data.path());
    server.deploy("calm", HELLO);
    server.stop();

    let of_supervisor = of_moody.iter().min_by_key(|path| path.as_os_str().len()).unwrap();
    corrupt(of_supervisor);
    let server = Server::serve(data.path(), &[]);
    let answer = server.ask(&Ask::get("/count").host("moody.localhost"));
    assert_eq!((answer.status, answer.code()), (500, "storage".to_owned()));
    assert_eq!(server.text("calm", "/"), "hello");
    let shown = server.admin(&Ask::get("/v1/apps/moody"));
    assert_eq!((shown.status, shown.code()), (500, "storage".to_owned()));
    let list = server.admin(&Ask::get("/v1/apps")).json();
    assert_eq!(list["apps"].as_array().unwrap().len(), 2);
    let deleted = server.admin(&Ask::new("DELETE", "/v1/apps/moody"));
    assert_eq!(deleted.status, 204, "the way out: {}", deleted.text());
    assert_eq!(server.deploy("moody", MOODY).status, 201);
    assert_eq!(server.text("moody", "/count"), "1");
}

/// Writes nonsense over a database, and over its log so that nothing can be restored from it.
fn corrupt(database: &Path) {
    let nonsense = "this is no database ".repeat(1000);
    let log = PathBuf::from(format!("{}-wal", database.display()));
    for path in [database, log.as_path()].into_iter().filter(|path| path.is_file()) {
        fs::write(path, &nonsense).unwrap();
    }
}

/// Every SQLite file of a data folder.
fn databases(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(databases(&path));
        } else if path.extension().is_some_and(|extension| extension == "sqlite") {
            found.push(path);
        }
    }
    found
}
