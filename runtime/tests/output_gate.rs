//! Nothing leaves an object before the writes it may reveal are durable, whichever way it leaves
//! (ST-33, ST-34, DO-11): HTTP response, RPC answer, `fetch`, WebSocket message and close, chunk
//! and end of a stream, outcome of an alarm, tail item; answers that are errors, and that of a
//! deletion. The syncs are held by the debug port; each
//! way is observed by whoever would receive it. Console output is for the operator and does not
//! wait; here it says that a handler ran.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use server::client::{self, Ask};
use server::{Server, wait_for};
use tempfile::{TempDir, tempdir};
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};

const SCRIPT: &str = r#"
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";

const CODE = `
import { DurableObject } from "cloudflare:workers";
export class App extends DurableObject {
  write(value) {
    this.ctx.storage.kv.put("value", crypto.randomUUID());
    return value;
  }
}`;

export class Ear extends WorkerEntrypoint {
  tail(events) {
    console.log("LEFT tail", events.length);
  }
}

export class Box extends DurableObject {
  // The same value again would be no write for SQLite.
  write(value) {
    this.ctx.storage.kv.put("value", crypto.randomUUID());
    return value;
  }
  fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/socket" || pathname === "/closing") {
      const [client, server] = new WebSocketPair();
      this.ctx.acceptWebSocket(server);
      return new Response(null, { status: 101, webSocket: client });
    }
    if (pathname === "/chunk" || pathname === "/end") {
      const { readable, writable } = new TransformStream();
      this.writer = writable.getWriter();
      this.writer.write(new TextEncoder().encode("begin "));
      return new Response(readable);
    }
    if (pathname === "/failure") {
      this.write("failure");
      console.log("RAN failure");
      throw new Error("LEFT");
    }
    console.log("RAN response");
    return new Response(this.write("response"));
  }
  async chunk() {
    this.write("chunk");
    console.log("RAN chunk");
    await this.writer.write(new TextEncoder().encode("LEFT"));
  }
  async end() {
    this.write("end");
    console.log("RAN end");
    await this.writer.close();
  }
  rejection() {
    this.write("rejection");
    console.log("RAN rejection");
    throw new Error("LEFT");
  }
  async deletion() {
    console.log("RAN deletion");
    await this.ctx.storage.deleteAll();
  }
  async out(url) {
    this.write("fetch");
    console.log("RAN fetch");
    await (await fetch(url)).text();
  }
  webSocketMessage(socket, message) {
    this.write(message);
    console.log("RAN " + message);
    if (message === "socket") socket.send("LEFT");
    else socket.close(4001, "LEFT");
  }
  async setAlarm(time) {
    await this.ctx.storage.setAlarm(time);
  }
  alarm() {
    this.write("alarm");
    console.log("RAN alarm");
  }
  async tail() {
    const app = this.ctx.facets.get("app", () => ({
      class: this.env.LOADER.get("code", () => ({
        compatibilityDate: "2026-11-01",
        mainModule: "app.js",
        modules: { "app.js": CODE },
        tails: [this.ctx.exports.Ear],
      })).getDurableObjectClass("App"),
    }));
    console.log("RAN tail");
    return await app.write("tail");
  }
}

export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    const [, way, call] = url.pathname.split("/");
    const box = ctx.exports.Box.getByName(way);
    if (call === "rpc") {
      console.log("RAN rpc");
      await box.write("rpc");
      console.log("LEFT rpc");
    } else if (call === "out") await box.out(env.UPSTREAM + "/LEFT");
    else if (call === "alarm") await box.setAlarm(Date.now() + 1_000_000);
    else if (call === "tail") await box.tail();
    else if (["chunk", "end", "rejection", "deletion"].includes(call)) await box[call]();
    else return box.fetch(request);
    return new Response("called");
  },
};
"#;

const UPSTREAM: &str = r#"
const seen = [];
export default {
  fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname !== "/seen") seen.push(pathname);
    return new Response(seen.join());
  },
};
"#;

/// Each object writes what it is asked for.
const UNCONFIRMED: &str = r#"
import { DurableObject } from "cloudflare:workers";

export class Box extends DurableObject {
  async confirmed() {
    console.log("RAN confirmed");
    await this.ctx.storage.put("value", "confirmed");
    return "confirmed";
  }
  async unconfirmed() {
    await this.ctx.storage.put("value", "unconfirmed", { allowUnconfirmed: true });
    return "unconfirmed";
  }
  async sync() {
    console.log("RAN sync");
    await this.ctx.storage.sync();
    return "synced";
  }
  read() {
    return this.ctx.storage.get("value");
  }
}

export default {
  async fetch(request, _env, ctx) {
    const [, name, method] = new URL(request.url).pathname.split("/");
    return new Response(await ctx.exports.Box.getByName(name)[method]());
  },
};
"#;

/// Everything is set up so that each way out is one call away.
struct Scene {
    server: Server,
    upstream: Server,
    data: TempDir,
    call: Option<TcpStream>,
    streams: [TcpStream; 2],
    sockets: [WebSocket<TcpStream>; 2],
    alarms: Vec<u8>,
    tails: usize,
}

impl Scene {
    fn new() -> Scene {
        let data = tempdir().unwrap();
        let script = |name: &str, source: &str| -> PathBuf {
            let path = data.path().join(name);
            std::fs::write(&path, source).unwrap();
            path
        };
        let upstream = Server::run(&script("up.js", UPSTREAM), &data.path().join("up"), 1, &[]);
        let url = format!("--var=UPSTREAM=http://127.0.0.1:{}", upstream.port);
        let flags = ["--debug-port", "0", "--allow-private-network", url.as_str()];
        let server = Server::run(&script("box.js", SCRIPT), &data.path().join("data"), 1, &flags);
        let text = |path: &str| server.ask(&Ask::get(path)).text();
        assert_eq!(text("/alarm/alarm"), "called");
        assert_eq!(text("/tail/tail"), "called");
        assert_eq!(text("/rpc/rpc"), "called");
        assert_eq!(text("/response"), "response");
        assert_eq!(text("/deletion"), "response");
        let streams = ["/chunk", "/end"].map(|path| {
            let mut stream = request(server.port, path);
            let mut seen = String::new();
            while !seen.contains("begin ") {
                let mut part = [0; 1024];
                let length = stream.read(&mut part).unwrap();
                seen += std::str::from_utf8(&part[..length]).unwrap();
            }
            stream
        });
        let sockets = ["/socket", "/closing"].map(|path| {
            let request = format!("ws://localhost{path}").into_client_request().unwrap();
            let stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
            tungstenite::client::client(request, stream).unwrap().0
        });
        let heard = || Some(()).filter(|()| server.output().contains("LEFT tail"));
        wait_for("the first tail item", heard);
        let alarms = alarms(data.path());
        let tails = count(&server, "LEFT tail");
        Scene { server, upstream, data, call: None, streams, sockets, alarms, tails }
    }

    /// Goes one way out; returns once its handler ran and what it said had time to leak.
    fn go(&mut self, way: &'static str) {
        let before = count(&self.server, &format!("RAN {way}"));
        match way {
            "socket" => self.sockets[0].send(Message::text(way)).unwrap(),
            "closing" => self.sockets[1].send(Message::text(way)).unwrap(),
            "alarm" => self.server.advance(2_000_000),
            "response" | "failure" => {
                self.call = Some(request(self.server.port, &format!("/{way}")));
            }
            "fetch" => self.call = Some(request(self.server.port, "/fetch/out")),
            _ => self.call = Some(request(self.server.port, &format!("/{way}/{way}"))),
        }
        let ran = || Some(()).filter(|()| count(&self.server, &format!("RAN {way}")) > before);
        wait_for(way, ran);
        // Each is a round of the shard's loop at least, in which whatever is not held leaves.
        for _ in 0..20 {
            self.server.objects();
            self.upstream.ask(&Ask::get("/seen"));
        }
    }

    fn debug(&self, what: &str) {
        let ask = Ask::new("POST", &format!("/syncs/{what}"));
        assert_eq!(client::send(self.server.debug_port, &ask).unwrap().status, 200);
    }

    /// True if something has left on this way.
    fn has_left(&self, way: &str) -> bool {
        match way {
            "response" | "failure" | "rejection" | "deletion" => {
                self.call.as_ref().is_some_and(has_bytes)
            }
            "rpc" => count(&self.server, "LEFT rpc") > 1,
            "fetch" => self.upstream.ask(&Ask::get("/seen")).text().contains("/LEFT"),
            "chunk" => has_bytes(&self.streams[0]),
            "end" => has_bytes(&self.streams[1]),
            "socket" => has_bytes(self.sockets[0].get_ref()),
            "closing" => has_bytes(self.sockets[1].get_ref()),
            "alarm" => alarms(self.data.path()) != self.alarms,
            "tail" => count(&self.server, "LEFT tail") > self.tails,
            _ => panic!("{way} is no way out"),
        }
    }
}

#[test]
fn st_33_no_way_out_of_an_object_is_open_before_its_writes_are_durable() {
    let mut scene = Scene::new();
    for way in WAYS {
        scene.debug("hold");
        scene.go(way);
        assert!(!scene.has_left(way), "{way} left before the commit was durable");
        scene.debug("release");
        wait_for(way, || Some(()).filter(|()| scene.has_left(way)));
    }
    assert_eq!(scene.sockets[0].read().unwrap(), Message::text("LEFT"));
    let closed = scene.sockets[1].read().unwrap();
    assert!(matches!(closed, Message::Close(Some(frame)) if u16::from(frame.code) == 4001));
}

/// G6: an unconfirmed write holds nothing back; `sync()` and a confirmed write wait for it.
#[test]
fn st_10_and_st_37_an_unconfirmed_write_is_answered_at_once_and_sync_waits_for_it() {
    let data = tempdir().unwrap();
    let script = data.path().join("worker.js");
    std::fs::write(&script, UNCONFIRMED).unwrap();
    let flags = ["--debug-port", "0"];
    let server = Server::run(&script, &data.path().join("data"), 1, &flags);
    let debug = |what: &str| {
        let ask = Ask::new("POST", &format!("/syncs/{what}"));
        assert_eq!(client::send(server.debug_port, &ask).unwrap().status, 200);
    };
    assert_eq!(server.ask(&Ask::get("/a/confirmed")).text(), "confirmed");
    debug("hold");
    assert_eq!(server.ask(&Ask::get("/a/unconfirmed")).text(), "unconfirmed");
    assert_eq!(server.ask(&Ask::get("/a/read")).text(), "unconfirmed");
    for (path, ran) in [("/a/sync", "RAN sync"), ("/b/confirmed", "RAN confirmed")] {
        debug("hold");
        let before = count(&server, ran);
        let waiting = request(server.port, path);
        wait_for(ran, || Some(()).filter(|()| count(&server, ran) > before));
        (0..50).for_each(|_| drop(server.objects()));
        assert!(!has_bytes(&waiting), "{path} was answered before it was durable");
        debug("release");
        wait_for(path, || Some(()).filter(|()| has_bytes(&waiting)));
    }
    server.stop();
    // What was answered before it was durable is durable by now.
    let server = Server::run(&script, &data.path().join("data"), 1, &flags);
    assert_eq!(server.ask(&Ask::get("/a/read")).text(), "unconfirmed");
}

/// G4: what was held becomes an error, on every way; the process ends, since nobody knows what is
/// on disk.
#[test]
fn st_34_a_failed_sync_lets_nothing_out_and_ends_the_process() {
    let groups: [&[&str]; 6] = [
        &["response", "socket", "closing", "alarm"],
        &["rpc"],
        &["fetch"],
        &["chunk"],
        &["end"],
        &["tail"],
    ];
    let checks = groups.map(|ways| std::thread::spawn(move || fail_syncs(ways)));
    checks.into_iter().for_each(|check| check.join().unwrap());
}

fn fail_syncs(ways: &[&'static str]) {
    let mut scene = Scene::new();
    scene.debug("hold");
    ways.iter().for_each(|way| scene.go(way));
    // The process may end before it answers this.
    let _ = client::send(scene.server.debug_port, &Ask::new("POST", "/syncs/fail"));
    let code = scene.server.wait().code();
    let output = scene.server.output();
    assert_eq!(code, Some(3), "{ways:?}: {output}");
    assert!(output.contains("a sync failed: "), "{ways:?}: {output}");
    for way in ways.iter().filter(|way| ["rpc", "fetch", "alarm", "tail"].contains(way)) {
        assert!(!scene.has_left(way), "{way}");
    }
    let told = scene.call.as_mut().map(rest).unwrap_or_default();
    let is_error = told.is_empty() || told.starts_with("HTTP/1.1 5");
    assert!(is_error && !told.ends_with("response"), "{ways:?}: {told}");
    for stream in &mut scene.streams {
        let told = rest(stream);
        assert!(!told.contains("LEFT") && !told.contains("0\r\n\r\n"), "{ways:?}: {told}");
    }
    for socket in &mut scene.sockets {
        let told = rest(socket.get_mut());
        assert!(!told.contains("LEFT"), "{ways:?}: {told}");
    }
}

/// The keeper starts another process, which goes on with all that was acknowledged.
#[test]
fn after_a_failed_sync_the_keeper_starts_a_process_that_goes_on() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &["--shards", "1", "--debug-port", "0"]);
    let app = r#"import { DurableObject } from "cloudflare:workers";
        export class App extends DurableObject {
          fetch() {
            const count = (this.ctx.storage.kv.get("count") ?? 0) + 1;
            this.ctx.storage.kv.put("count", count);
            return new Response(String(count));
          }
        }"#;
    assert_eq!(server.deploy("counter", app).status, 201);
    let ask = Ask::get("/").host("counter.localhost");
    let count = || -> Option<u64> {
        let answer = server.try_ask(&ask).ok().filter(|answer| answer.status == 200)?;
        answer.text().parse().ok()
    };
    let acknowledged = (0..3).fold(0, |_, _| count().unwrap());
    let process = server.worker_process();
    // The process may end before it answers this.
    let _ = client::send(server.debug_port, &Ask::new("POST", "/syncs/fail"));
    let lost = server.try_ask(&ask);
    assert!(lost.is_err() || lost.unwrap().status >= 500, "nothing more is acknowledged");
    let next = wait_for("the next process", count);
    assert!(next > acknowledged, "{next} after {acknowledged}\n{}", server.output());
    assert_ne!(server.worker_process(), process);
    assert!(server.output().contains("exit code 3"), "{}", server.output());
    assert!(server.stop().success());
}

fn request(port: u16, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    stream
}

/// True if there is something to read, or the end.
fn has_bytes(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let found = stream.peek(&mut [0]);
    stream.set_nonblocking(false).unwrap();
    !matches!(found, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// What comes until the connection ends.
fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // The process is gone, so the end may be a reset.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn count(server: &Server, text: &str) -> usize {
    server.output().matches(text).count()
}

/// The index of alarms, as it is on disk.
fn alarms(data: &Path) -> Vec<u8> {
    std::fs::read(data.join("data/alarms")).unwrap()
}

const WAYS: [&str; 12] = [
    "response",
    "failure",
    "rpc",
    "rejection",
    "deletion",
    "fetch",
    "chunk",
    "end",
    "socket",
    "closing",
    "alarm",
    "tail",
];
const PATIENCE: Duration = Duration::from_secs(20);
