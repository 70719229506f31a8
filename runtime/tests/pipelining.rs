//! Calls on results that are not known yet wait where the result will be (RPC-17): a chain of calls
//! to another thread needs the caller once, when it begins.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::fs;

use serde_json::Value;
use server::Server;
use server::client::Ask;
use tempfile::tempdir;

/// The caller keeps its thread busy after it has begun the chains. What lives on the other thread
/// gets to the end of them meanwhile, if nobody has to ask the caller in between.
const SCRIPT: &str = r#"
import { DurableObject, RpcTarget } from "cloudflare:workers";
class Link extends RpcTarget {
  #number;
  constructor(number) { super(); this.#number = number; }
  next() { return new Link(this.#number + 1); }
  end(add) { return { number: this.#number + add, at: Date.now() }; }
}
export class Chain extends DurableObject {
  start() { return new Link(1); }
}
export default {
  async fetch(request, env, ctx) {
    const chains = [];
    for (let i = 0; i < 16; i++) {
      const start = ctx.exports.Chain.getByName(`chain ${i}`).start();
      chains.push(start.next().next().next().next().next().next().end(3));
    }
    const free = Date.now() + 1_000;
    while (Date.now() < free);
    const ends = await Promise.all(chains);
    const early = ends.filter(({ at }) => at < free).length;
    return Response.json({ numbers: ends.map(({ number }) => number), early });
  },
};
"#;

#[test]
fn rpc_17_a_chain_of_calls_needs_its_caller_once() {
    let data = tempdir().unwrap();
    let path = data.path().join("worker.js");
    fs::write(&path, SCRIPT).unwrap();
    let server = Server::run(&path, &data.path().join("data"), 2, &[]);
    let answer: Value = serde_json::from_str(&server.ask(&Ask::get("/")).text()).unwrap();
    assert_eq!(answer["numbers"], serde_json::json!(vec![10; 16]), "{answer}");
    // Half of the objects live on the caller's own thread.
    assert!(answer["early"].as_u64().unwrap() > 0, "{answer}");
}
