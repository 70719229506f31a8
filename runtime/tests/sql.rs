//! What `ctx.storage.sql` does at the limits of memory.

#![allow(clippy::unwrap_used, reason = "the whole file is a test")]

mod server;

use server::Server;
use server::client::Ask;
use tempfile::tempdir;

const SCRIPT: &str = r#"
import { DurableObject } from "cloudflare:workers";

const ROWS = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 400000)
              SELECT printf('%1000d', i) AS text FROM n`;

export class Reader extends DurableObject {
  calls = 0;
  large() {
    this.calls++;
    try {
      return this.ctx.storage.sql.exec(ROWS).toArray().length;
    } catch (error) {
      return `${error.name}: ${error.message}`;
    }
  }
  streamed() {
    this.calls++;
    let rows = 0;
    for (const row of this.ctx.storage.sql.exec(ROWS)) rows += row.text.length / 1000;
    return rows;
  }
  state() {
    return this.calls;
  }
}

export default {
  async fetch(request, _env, ctx) {
    const method = new URL(request.url).pathname.slice(1);
    return new Response(String(await ctx.exports.Reader.getByName("a")[method]()));
  },
};
"#;

#[test]
fn st_23_a_result_that_does_not_fit_throws_and_its_object_lives_on() {
    let data = tempdir().unwrap();
    let script = data.path().join("worker.js");
    std::fs::write(&script, SCRIPT).unwrap();
    let server = Server::run(&script, &data.path().join("data"), 1, &[]);
    let text = |path: &str| server.ask(&Ask::get(path)).text();
    let told = text("/large");
    let too_large =
        "Error: SQL query result set is too large to fit in memory. Use a streaming iterator";
    assert!(told.starts_with(too_large), "{told}\n{}", server.output());
    assert_eq!(text("/streamed"), "400000");
    assert_eq!(text("/state"), "2", "the same instance");
}
