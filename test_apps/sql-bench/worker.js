// Loops inside one request: SQL in a facet's own database, and calls from supervisor to facet.
import { DurableObject } from "cloudflare:workers";

const APP_CODE = `
import { DurableObject } from "cloudflare:workers";

export class App extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.sql = ctx.storage.sql;
    this.sql.exec("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, v INTEGER, w TEXT)");
  }

  /** Inserts n rows and returns how many rows there are. */
  inserts(n) {
    for (let i = 0; i < n; i++) {
      this.sql.exec("INSERT INTO t (v, w) VALUES (?, ?)", i, "row");
    }
    return this.sql.exec("SELECT count(*) AS n FROM t").one().n;
  }

  /** Reads n rows by key, one statement each, and returns the sum of what it read. */
  reads(n) {
    this.#fill();
    let sum = 0;
    for (let i = 0; i < n; i++) {
      sum += this.sql.exec("SELECT v FROM t WHERE id = ?", 1 + (i % ROWS)).one().v;
    }
    return sum;
  }

  /** Reads 1,000 rows through toArray() n times and returns how many rows it read. */
  rows(n) {
    this.#fill();
    let rows = 0;
    for (let i = 0; i < n; i++) {
      rows += this.sql.exec("SELECT id, v, w FROM t ORDER BY id LIMIT ?", ROWS).toArray().length;
    }
    return rows;
  }

  echo(value) {
    return value;
  }

  #fill() {
    const rows = this.sql.exec("SELECT count(*) AS n FROM t").one().n;
    if (rows < ROWS) {
      this.inserts(ROWS - rows);
    }
  }
}

const ROWS = 1000;
`;

export class Supervisor extends DurableObject {
  /** Calls a method of the facet once. */
  async once(method, n) {
    return await this.#facet()[method](n);
  }

  /** Calls the facet n times, each call awaited before the next, and returns how many answered. */
  async calls(n) {
    const facet = this.#facet();
    let answered = 0;
    for (let i = 0; i < n; i++) {
      answered += (await facet.echo(i)) === i ? 1 : 0;
    }
    return answered;
  }

  #facet() {
    return this.ctx.facets.get("app", () => {
      const worker = this.env.LOADER.get("sql-bench", () => ({
        compatibilityDate: "2026-04-01",
        mainModule: "app.js",
        modules: { "app.js": APP_CODE },
        globalOutbound: null,
      }));
      return { class: worker.getDurableObjectClass("App") };
    });
  }
}

const METHODS = ["inserts", "reads", "rows"];

export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    const method = url.pathname.slice(1);
    const n = Number(url.searchParams.get("n") ?? 1);
    const supervisor = ctx.exports.Supervisor.getByName("bench");
    if (method === "calls") {
      return Response.json({ result: await supervisor.calls(n) });
    }
    if (METHODS.includes(method)) {
      return Response.json({ result: await supervisor.once(method, n) });
    }
    return Response.json({ error: "no such loop", loops: [...METHODS, "calls"] }, { status: 404 });
  },
};
