//! WebSockets outlive the instance and the isolate of their object, reach apps through their
//! supervisor, and are bounded (DO-17 to DO-25, FA-25, FA-39). The clock is moved, not waited for.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::path::Path;

use serde_json::{Value, json};
use server::Server;
use server::client::Ask;
use server::socket::Sockets;
use tempfile::tempdir;

const SCRIPT: &str = r#"
import { DurableObject } from "cloudflare:workers";

const CODE = `
import { DurableObject } from "cloudflare:workers";
export class Room extends DurableObject {
  calls = 0;
  fetch(request) {
    const [client, server] = new WebSocketPair();
    if (request.url.endsWith("/accepted")) {
      server.accept();
      server.addEventListener("message", ({ data }) => server.send(data + " " + ++this.calls));
    } else {
      this.ctx.acceptWebSocket(server, ["tag"]);
      server.serializeAttachment("attached");
      this.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    }
    return new Response(null, { status: 101, webSocket: client });
  }
  async webSocketMessage(socket, message) {
    if (message === "hang") {
      this.ctx.setHibernatableWebSocketEventTimeout(1);
      return;
    }
    if (message === "hung") await new Promise(() => {});
    const known = this.ctx.getWebSockets("tag")[0];
    const state = [this.ctx.getTags(socket), socket.deserializeAttachment(), known === socket];
    socket.send(JSON.stringify([message, ++this.calls, ...state]));
  }
}
export default {
  fetch(request, env, ctx) {
    return new Response("plain");
  },
};`;

export class Supervisor extends DurableObject {
  fetch(request) {
    const room = this.ctx.facets.get("room", () => ({
      class: this.env.LOADER.get("code", () => ({
        compatibilityDate: "2026-11-01",
        mainModule: "room.js",
        modules: { "room.js": CODE },
      })).getDurableObjectClass("Room"),
    }));
    if (request.url.endsWith("/abort")) {
      this.ctx.facets.abort("room", new Error("new code"));
      return new Response("aborted");
    }
    return room.fetch(request);
  }
}

export default {
  fetch(request, env, ctx) {
    return ctx.exports.Supervisor.getByName("it").fetch(request);
  },
};
"#;

fn start(data: &Path) -> Server {
    let script = data.join("worker.js");
    std::fs::write(&script, SCRIPT).unwrap();
    Server::run(&script, &data.join("data"), 1, &["--debug-port", "0"])
}

/// Does a step on a socket, which must go as it says.
fn step(server: &Server, sockets: &mut Sockets, step: &Value) {
    let found = sockets.run(server.port, step);
    assert!(found.is_empty(), "{step}: {found:?}\n{}", server.output());
}

/// The state of the root, then of the facet.
fn states(server: &Server) -> Vec<String> {
    let objects = server.objects();
    let state = |object: &Value| object["state"].as_str().unwrap().to_owned();
    objects["objects"].as_array().unwrap().iter().map(state).collect()
}

fn said(message: &str, calls: u32) -> Value {
    let said = json!([message, calls, ["tag"], "attached", true]);
    json!([said.to_string()])
}

#[test]
fn fa_39_a_hibernated_facet_has_no_isolate_and_is_woken_by_a_message() {
    let data = tempdir().unwrap();
    let server = start(data.path());
    let mut sockets = Sockets::default();
    step(&server, &mut sockets, &json!({ "open": "a", "path": "/" }));
    step(&server, &mut sockets, &json!({ "on": "a", "send": "one", "get": said("one", 1) }));
    step(&server, &mut sockets, &json!({ "on": "a", "send": "two", "get": said("two", 2) }));
    let isolates = server.objects()["workers"].as_u64().unwrap();
    // Long beyond what keeps places without sockets.
    for _ in 0..200 {
        server.advance(1_000);
    }
    assert_eq!(states(&server), ["idle", "idle"]);
    assert!(server.objects()["workers"].as_u64().unwrap() < isolates);
    step(&server, &mut sockets, &json!({ "on": "a", "send": "ping", "get": ["pong"] }));
    assert_eq!(states(&server), ["idle", "idle"], "an automatic answer wakes nobody");
    step(&server, &mut sockets, &json!({ "on": "a", "send": "three", "get": said("three", 1) }));
    assert_eq!(states(&server), ["idle", "running"], "the supervisor sleeps on");
    step(&server, &mut sockets, &json!({ "on": "a", "send": "four", "get": said("four", 2) }));
}

/// A few hundred, or 9,000 where `BERYL_TORTURE` is set: as many as two processes may open files.
#[test]
fn do_14_a_hibernated_object_with_many_idle_sockets_holds_no_isolate() {
    let is_long = std::env::var_os("BERYL_TORTURE").is_some();
    let count = if is_long { 9_000 } else { 300 };
    let data = tempdir().unwrap();
    let server = start(data.path());
    let mut sockets = Sockets::default();
    for number in 0..count {
        step(&server, &mut sockets, &json!({ "open": number.to_string(), "path": "/" }));
    }
    let isolates = server.objects()["workers"].as_u64().unwrap();
    for _ in 0..200 {
        server.advance(1_000);
    }
    assert_eq!(states(&server), ["idle", "idle"]);
    assert!(server.objects()["workers"].as_u64().unwrap() < isolates, "{}", server.objects());
    let last = (count - 1).to_string();
    step(&server, &mut sockets, &json!({ "on": last, "send": "ping", "get": ["pong"] }));
    assert_eq!(states(&server), ["idle", "idle"], "an automatic answer wakes nobody");
    for number in [0, count / 2, count - 1] {
        let text = format!("to {number}");
        let calls = if number == 0 {
            1
        } else if number == count - 1 {
            3
        } else {
            2
        };
        let sent = json!({ "on": number.to_string(), "send": text });
        step(&server, &mut sockets, &sent);
        let state = json!([text, calls, ["tag"], "attached", number == count - 1]);
        let answer = json!({ "on": number.to_string(), "get": [state.to_string()] });
        step(&server, &mut sockets, &answer);
    }
}

#[test]
fn fa_25_aborting_a_facet_that_hibernates_disconnects_its_sockets() {
    let data = tempdir().unwrap();
    let server = start(data.path());
    let mut sockets = Sockets::default();
    step(&server, &mut sockets, &json!({ "open": "a", "path": "/" }));
    for _ in 0..20 {
        server.advance(1_000);
    }
    assert_eq!(states(&server), ["idle", "idle"]);
    assert_eq!(server.ask(&Ask::get("/abort")).text(), "aborted");
    step(&server, &mut sockets, &json!({ "on": "a", "get": [{ "lost": true }] }));
}

#[test]
fn do_16_a_socket_that_listeners_hear_keeps_its_object_in_memory() {
    let data = tempdir().unwrap();
    let server = start(data.path());
    let mut sockets = Sockets::default();
    step(&server, &mut sockets, &json!({ "open": "a", "path": "/accepted" }));
    step(&server, &mut sockets, &json!({ "on": "a", "send": "one", "get": ["one 1"] }));
    for _ in 0..100 {
        server.advance(1_000);
    }
    assert_eq!(states(&server), ["idle", "running"]);
    step(&server, &mut sockets, &json!({ "on": "a", "send": "two", "get": ["two 2"] }));
}

#[test]
fn do_23_a_handler_beyond_its_time_limit_resets_the_object() {
    let data = tempdir().unwrap();
    let server = start(data.path());
    let mut sockets = Sockets::default();
    step(&server, &mut sockets, &json!({ "open": "a", "path": "/" }));
    step(&server, &mut sockets, &json!({ "on": "a", "send": "hang" }));
    step(&server, &mut sockets, &json!({ "on": "a", "send": "hung", "get": [{ "lost": true }] }));
}

#[test]
fn a_message_above_the_limit_ends_the_connection() {
    let data = tempdir().unwrap();
    let server = start(data.path());
    let mut sockets = Sockets::default();
    step(&server, &mut sockets, &json!({ "open": "a", "path": "/accepted" }));
    let large = json!({ "text of": (32 << 20) + 1 });
    let refused = json!([{ "close": [1009, "Message is too large"] }]);
    step(&server, &mut sockets, &json!({ "on": "a", "send": large, "get": refused }));
}

#[test]
fn a_stop_tells_peers_that_the_server_goes_away() {
    let data = tempdir().unwrap();
    let server = start(data.path());
    let mut sockets = Sockets::default();
    step(&server, &mut sockets, &json!({ "open": "a", "path": "/" }));
    server.terminate();
    step(&server, &mut sockets, &json!({ "on": "a", "get": [{ "close": [1001, ""] }] }));
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn an_app_answers_with_a_socket_through_its_supervisor_until_it_is_updated() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &["--shards", "2"]);
    let app = |text: &str| {
        format!(
            "export default {{ fetch() {{
               const [client, server] = new WebSocketPair();
               server.accept();
               server.addEventListener('message', ({{ data }}) => server.send('{text} ' + data));
               return new Response(null, {{ status: 101, webSocket: client }});
             }} }};"
        )
    };
    assert_eq!(server.deploy("talk", &app("first")).status, 201);
    let mut sockets = Sockets::default();
    let open = json!({ "open": "a", "path": "/apps/talk/" });
    step(&server, &mut sockets, &open);
    step(&server, &mut sockets, &json!({ "on": "a", "send": "hi", "get": ["first hi"] }));
    assert_eq!(server.deploy("talk", &app("second")).status, 200);
    step(&server, &mut sockets, &json!({ "on": "a", "get": [{ "lost": true }] }));
    step(&server, &mut sockets, &open);
    step(&server, &mut sockets, &json!({ "on": "a", "send": "hi", "get": ["second hi"] }));
}

/// An object that says over its socket what it stored, and one that takes sockets without end.
const STORING: &str = r#"
import { DurableObject } from "cloudflare:workers";
export class Store extends DurableObject {
  fetch(request) {
    const { kv } = this.ctx.storage;
    if (request.url.endsWith("/count")) return new Response(`${kv.get("count") ?? 0}`);
    if (request.url.endsWith("/many")) return new Response(this.many());
    const [client, server] = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }
  webSocketMessage(socket) {
    const count = (this.ctx.storage.kv.get("count") ?? 0) + 1;
    this.ctx.storage.kv.put("count", count);
    socket.send(`${count}`);
  }
  many() {
    let count = 0;
    try {
      for (;; count++) this.ctx.acceptWebSocket(new WebSocketPair()[1]);
    } catch (error) {
      return `${count}: ${error.message}`;
    }
  }
}
export default {
  fetch(request, env, ctx) {
    return ctx.exports.Store.getByName("it").fetch(request);
  },
};
"#;

fn start_storing(data: &Path) -> Server {
    let script = data.join("storing.js");
    std::fs::write(&script, STORING).unwrap();
    Server::run(&script, &data.join("data"), 1, &[])
}

#[test]
fn do_11_a_frame_leaves_after_what_it_reveals_is_durable() {
    let data = tempdir().unwrap();
    let mut seen = 0;
    for _ in 0..3 {
        let server = start_storing(data.path());
        let count: u32 = server.ask(&Ask::get("/count")).text().parse().unwrap();
        assert!(count >= seen, "{count} is on disk, and {seen} was told");
        let mut sockets = Sockets::default();
        step(&server, &mut sockets, &json!({ "open": "a", "path": "/" }));
        for told in count + 1..count + 20 {
            let get = [told.to_string()];
            step(&server, &mut sockets, &json!({ "on": "a", "send": "", "get": get }));
            seen = told;
        }
        server.kill();
    }
}

#[test]
fn do_17_an_object_accepts_so_many_sockets() {
    let data = tempdir().unwrap();
    let server = start_storing(data.path());
    let text = "32768: only 32768 websockets can be accepted on a single Durable Object instance";
    assert_eq!(server.ask(&Ask::get("/many")).text(), text);
}
