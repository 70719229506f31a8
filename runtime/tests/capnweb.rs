//! Cap'n Web at the path that a deployment names: only there, only if named, and only the methods
//! of the app's class.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::process::Command;

use serde_json::{Value, json};
use server::Server;
use server::app::root;
use server::client::{Answer, Ask};
use server::socket::Sockets;
use tempfile::tempdir;

const OBJECT: &str = "
import { DurableObject, RpcTarget } from 'cloudflare:workers';
let disposed = 0;
class Counter extends RpcTarget {
  #count = 0;
  add(by) { return this.#count += by; }
  [Symbol.dispose]() { disposed++; }
}
export class App extends DurableObject {
  secret = 'hidden';
  echo(value) { return value; }
  numbers(count) { return Array.from({ length: count }, (_, index) => index); }
  tell(listener, text) { return listener.tell(text); }
  async call(f, value) { return (await f(value)) + 1; }
  fail() { throw new RangeError('as asked'); }
  disposed() { return disposed; }
  fetch() { return new Response('a page'); }
  alarm() {}
  hello(name) { return `hello ${name}`; }
  counter() { return new Counter(); }
  stored() {
    const count = (this.ctx.storage.kv.get('count') ?? 0) + 1;
    this.ctx.storage.kv.put('count', count);
    return count;
  }
}";

const ENTRYPOINT: &str = "
import { WorkerEntrypoint } from 'cloudflare:workers';
export default class extends WorkerEntrypoint {
  fetch() { return new Response('a page'); }
  hello(name) { return `${this.env.GREETING} ${name}`; }
}";

fn deployment(source: &str, rpc: Option<&str>) -> Value {
    let mut body = json!({
        "main": "app.js", "modules": { "app.js": source }, "vars": { "GREETING": "good day" },
    });
    if let Some(path) = rpc {
        body["rpc"] = json!({ "path": path });
    }
    body
}

/// Calls methods, each on the result of the one before, and gives the last result.
fn call(server: &Server, app: &str, calls: &[(&str, Value)]) -> Answer {
    let mut lines = Vec::new();
    for (number, (method, arguments)) in calls.iter().enumerate() {
        lines.push(json!(["push", ["pipeline", number, [method], arguments]]).to_string());
    }
    lines.push(json!(["pull", calls.len()]).to_string());
    let ask = Ask::new("POST", "/rpc").host(&format!("{app}.localhost"));
    server.ask(&ask.body(lines.join("\n")))
}

#[test]
fn methods_of_an_app_are_reached_at_the_path_it_names_and_nothing_else_is() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    for (app, source) in [("object", OBJECT), ("entrypoint", ENTRYPOINT)] {
        let answer = server.deploy_json(app, &deployment(source, Some("/rpc")));
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(server.text(app, "/"), "a page");
    }
    let answer = call(&server, "object", &[("hello", json!(["you"]))]);
    assert_eq!(answer.text(), "[\"resolve\",1,\"hello you\"]");
    let answer = call(&server, "entrypoint", &[("hello", json!(["you"]))]);
    assert_eq!(answer.text(), "[\"resolve\",1,\"good day you\"]");
    let answer = call(&server, "object", &[("counter", json!([])), ("add", json!([4]))]);
    assert_eq!(answer.text(), "[\"resolve\",2,4]");
    for stored in 1..3 {
        let answer = call(&server, "object", &[("stored", json!([]))]);
        assert_eq!(answer.text(), format!("[\"resolve\",1,{stored}]"));
    }
    for hidden in ["secret", "ctx", "env", "alarm", "fetch", "constructor", "toString", "missing"] {
        let answer = call(&server, "object", &[(hidden, json!([]))]).text();
        assert!(answer.starts_with("[\"reject\",1,"), "{hidden}: {answer}");
    }
}

/// The client is a program of its own: Node.js with the package as npm has it.
#[test]
fn the_client_of_npm_talks_over_a_socket_and_in_batches() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    let answer = server.deploy_json("object", &deployment(OBJECT, Some("/rpc")));
    assert_eq!(answer.status, 201, "{}", answer.text());
    let library = root().join("test_apps/node_modules/capnweb/dist/index.js");
    let mend = "install it: cargo run -q -p xtask -- node";
    assert!(library.is_file(), "capnweb is missing at {}; {mend}", library.display());
    let output = Command::new("node")
        .args(["--experimental-websocket", "--no-warnings"])
        .arg(root().join("test_apps/capnweb/client.mjs"))
        .arg(&library)
        .arg(format!("http://127.0.0.1:{}/apps/object/rpc", server.port))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}\n{}", server.output());
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    let socket = json!({
        "hello": "hello you",
        "pipelined": 4,
        "counter": [1, 3],
        "told": [1, 2, ["a", "b"]],
        "called": 43,
        "values": [
            "1180591620717411303424", "1970-01-01T00:00:00.000Z", [1, 2], { "a": [null, true] },
            "\u{20ac}",
        ],
        "mapped": ["hello 0", "hello 1", "hello 2"],
        "error": "RangeError: as asked",
        "missing": "TypeError",
        "secret": "TypeError",
        "alarm": "TypeError",
        "constructor": "TypeError",
        "ctx": "TypeError",
        "env": "TypeError",
        "disposed": 1,
        "many": [50, "hello 49"],
        "stored": [1, 2],
    });
    let mapped = ["hello 0", "hello 1"];
    let answers = json!(["hello one", "hello two", 3, 7, mapped, "RangeError: as asked"]);
    let batch = json!({ "answers": answers, "stored": 3 });
    assert_eq!(seen, json!({ "socket": socket, "batch": batch }), "{seen:#}");
}

#[test]
fn a_socket_carries_a_session() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    server.deploy_json("app", &deployment(OBJECT, Some("/rpc")));
    let mut sockets = Sockets::default();
    let headers = json!({ "host": "app.localhost" });
    let steps = [
        json!({ "open": "a", "path": "/rpc", "headers": headers }),
        json!({ "on": "a", "send": "[\"push\",[\"pipeline\",0,[\"hello\"],[\"you\"]]]" }),
        json!({ "on": "a", "send": "[\"pull\",1]", "get": ["[\"resolve\",1,\"hello you\"]"] }),
    ];
    for step in steps {
        let found = sockets.run(server.port, &step);
        assert!(found.is_empty(), "{found:?}\n{}", server.output());
    }
}

#[test]
fn without_a_path_there_is_no_rpc_and_hostile_messages_end_only_their_session() {
    let data = tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    server.deploy_json("closed", &deployment(OBJECT, None));
    assert_eq!(call(&server, "closed", &[("hello", json!(["you"]))]).text(), "a page");
    server.deploy_json("open", &deployment(OBJECT, Some("/rpc")));
    let deep = "[".repeat(100_000);
    for body in ["x", "[]", "[\"push\"]", "[\"pull\",99]", "[\"abort\",1]", "{}", "null", &deep] {
        let ask = Ask::new("POST", "/rpc").host("open.localhost").body(body.to_owned());
        server.ask(&ask);
    }
    let answer = call(&server, "open", &[("hello", json!(["you"]))]);
    assert_eq!(answer.text(), "[\"resolve\",1,\"hello you\"]");
    let plain = "export default { fetch() { return new Response('a page') } }";
    let refused = server.deploy_json("plain", &deployment(plain, Some("/rpc")));
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(refused.text().contains("rpc path"), "{}", refused.text());
}
