// Writes values of many kinds, and reads them: also what another runtime wrote into the folder.
import { DurableObject } from "cloudflare:workers";

export class Counter extends DurableObject {
  write() {
    const { kv, sql } = this.ctx.storage;
    const count = (kv.get("count") ?? 0) + 1;
    kv.put("count", count);
    const text = "h\u00e9 \u2603";
    kv.put("kinds", new Map([["date", new Date(0)], ["big", 2n ** 70n], ["text", text]]));
    sql.exec("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, v)");
    sql.exec("CREATE INDEX IF NOT EXISTS i ON t (v)");
    sql.exec("INSERT INTO t (v) VALUES (?)", new Uint8Array([count, 2]));
    sql.exec("CREATE VIRTUAL TABLE IF NOT EXISTS f USING fts5(body)");
    sql.exec("INSERT INTO f VALUES (?)", `note ${count}`);
    return this.read();
  }

  read() {
    const { kv, sql } = this.ctx.storage;
    const kinds = kv.get("kinds");
    return {
      id: this.ctx.id.toString(),
      count: kv.get("count"),
      kinds: [kinds.get("date").toISOString(), String(kinds.get("big")), kinds.get("text")],
      rows: sql.exec("SELECT id, hex(v) AS v FROM t ORDER BY id").raw().toArray(),
      found: sql.exec("SELECT body FROM f WHERE f MATCH 'note'").toArray().length,
      check: sql.exec("PRAGMA quick_check").raw().toArray(),
    };
  }

  async facet(method, name) {
    const facet = this.ctx.facets.get(name, () => ({ class: this.ctx.exports.Counter }));
    return await facet[method]();
  }
}

export default {
  async fetch(request, _env, ctx) {
    const method = new URL(request.url).pathname.slice(1);
    const object = ctx.exports.Counter.getByName("a");
    const results = [await object[method]()];
    for (const name of ["one", "two"]) results.push(await object.facet(method, name));
    return Response.json(results);
  },
};
