//! Facets that come and go by the thousands leave nothing behind: neither entries in tables nor
//! memory. A few hundred cycles, or 50,000 where `BERYL_TORTURE` is set.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use std::fs;

use server::Server;
use server::client::Ask;
use tempfile::tempdir;

/// Every tenth facet runs code of its own.
const SCRIPT: &str = r#"
import { DurableObject } from "cloudflare:workers";
const CODE = (number) => `import { DurableObject } from "cloudflare:workers";
export class Loaded extends DurableObject {
  call(f) {
    this.ctx.storage.kv.put("n", ${number});
    return f(this.ctx.storage.kv.get("n"));
  }
}`;
export class Child extends DurableObject {
  call(f) {
    this.ctx.storage.kv.put("n", this.ctx.props.number);
    return f(this.ctx.storage.kv.get("n"));
  }
}
export class Parent extends DurableObject {
  async cycle(number) {
    const name = `facet ${number % 50}`;
    const facet = this.ctx.facets.get(name, () => ({ class: this.classOf(number) }));
    const answer = await facet.call((value) => value + 1);
    if (answer !== number + 1) throw new Error(`${answer} for ${number}`);
    if (number % 2 === 0) this.ctx.facets.delete(name);
    else this.ctx.facets.abort(name, new Error("over"));
  }
  classOf(number) {
    if (number % 10 !== 0) return this.ctx.exports.Child({ props: { number } });
    const modules = { "main.js": CODE(number) };
    const code = { compatibilityDate: "2026-04-01", mainModule: "main.js", modules };
    return this.env.LOADER.load(code).getDurableObjectClass("Loaded");
  }
  async run(from, count) {
    for (let number = from; number < from + count; number++) await this.cycle(number);
    return this.ctx.facets.list().length;
  }
}
export default {
  async fetch(request, env, ctx) {
    const [from, count] = new URL(request.url).pathname.slice(1).split("/").map(Number);
    return new Response(`${await ctx.exports.Parent.getByName("it").run(from, count)}`);
  },
};
"#;

#[test]
fn facets_that_come_and_go_leave_nothing() {
    let is_long = std::env::var_os("BERYL_TORTURE").is_some();
    let (rounds, cycles) = (if is_long { 1_000 } else { 4 }, 50);
    let data = tempdir().unwrap();
    let path = data.path().join("worker.js");
    fs::write(&path, SCRIPT).unwrap();
    let more = ["--debug-port", "0", "--no-history"];
    let server = Server::run(&path, &data.path().join("data"), 1, &more);
    let mut kib = Vec::new();
    for round in 0..rounds {
        let left = server.ask(&Ask::get(&format!("/{}/{cycles}", round * cycles)));
        assert_eq!(left.status, 200, "{}\n{}", left.text(), server.output());
        // Those that were aborted keep their data and their names.
        assert_eq!(left.text(), "25");
        kib.push(server.resident_kb());
    }
    server.pass(150);
    let objects = server.objects();
    assert_eq!(objects["objects"].as_array().unwrap().len(), 0, "{objects}");
    // The worker itself.
    assert_eq!(objects["workers"], 1, "{objects}");
    if is_long {
        // The heap breathes; a slope shows in what it is at least, early and late.
        let least = |from: usize| *kib[from..from + rounds / 10].iter().min().unwrap();
        let (warm, end) = (least(rounds / 10), least(rounds / 10 * 9));
        assert!(end < warm + 16 * 1024, "RSS grew from {warm} to {end} KiB: {kib:?}");
    }
}
