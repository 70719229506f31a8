// Durable commits of one row each: `/one` on one object, `/many` on 64 of them in turn, `/rows`
// says how many rows there are in all.

import { DurableObject } from "cloudflare:workers";

const OBJECTS = 64;

export class Ledger extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, v TEXT)");
  }
  add() {
    this.ctx.storage.sql.exec("INSERT INTO t (v) VALUES (?)", "a row of the ledger");
    return "added";
  }
  rows() {
    return this.ctx.storage.sql.exec("SELECT count(*) AS n FROM t").one().n;
  }
}

let next = 0;

export default {
  async fetch(request, _env, ctx) {
    const { pathname } = new URL(request.url);
    const object = (number) => ctx.exports.Ledger.getByName(`ledger ${number}`);
    if (pathname === "/rows") {
      const rows = Array.from({ length: OBJECTS }, (_, number) => object(number).rows());
      return new Response(String((await Promise.all(rows)).reduce((sum, n) => sum + n)));
    }
    return new Response(await object(pathname === "/many" ? next++ % OBJECTS : 0).add());
  },
};
