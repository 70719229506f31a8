// `ctx.facets`: named child objects with databases of their own, run from code that is loaded at
// run time. Each path answers with one JSON object of results.
import { DurableObject } from "cloudflare:workers";

/** What every facet's code can do; `version` tells one code from another. */
const code = (version) => `
import { DurableObject } from "cloudflare:workers";

let constructed = 0;

export class App extends DurableObject {
  #inMemory = 0;

  constructor(ctx, env) {
    super(ctx, env);
    constructed++;
    if (ctx.props.fails) throw new RangeError("constructor of ${version}");
  }

  version() { return "${version}"; }

  constructions() { return constructed; }

  count() {
    const count = (this.ctx.storage.kv.get("count") ?? 0) + 1;
    this.ctx.storage.kv.put("count", count);
    return count;
  }

  countInMemory() { return ++this.#inMemory; }

  identity() { return [String(this.ctx.id), this.ctx.id.name ?? "none"]; }

  props() { return this.ctx.props; }

  rows() {
    this.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS t (v)");
    this.ctx.storage.sql.exec("INSERT INTO t VALUES (1)");
    return this.ctx.storage.sql.exec("SELECT count(*) AS n FROM t").one().n;
  }

  throws() { throw new TypeError("from the facet"); }

  stops() { this.ctx.abort("stopped itself"); }

  forever() { return new Promise(() => {}); }

  async depth() {
    const child = this.ctx.facets.get("child", () => ({ class: this.ctx.exports.App }));
    return 1 + await child.depth();
  }

  child(name) {
    return this.ctx.facets.get(name, () => ({ class: this.ctx.exports.App })).count();
  }

  fetch(request) {
    return new Response(\`\${request.method} \${new URL(request.url).pathname} by ${version}\`);
  }
}

export class NotAnObject {}
`;

/** Has all the facets. Its own class can be a facet's as well. */
export class Supervisor extends DurableObject {
  starts = 0;

  app(name, version = "one", options = {}) {
    return this.ctx.facets.get(name, () => {
      this.starts++;
      return { class: this.loaded(version).getDurableObjectClass("App", options), id: options.id };
    });
  }

  loaded(version) {
    return this.env.LOADER.get(version, () => ({
      compatibilityDate: "2026-04-01",
      mainModule: "app.js",
      modules: { "app.js": code(version) },
      globalOutbound: null,
    }));
  }

  count() {
    const count = (this.ctx.storage.kv.get("count") ?? 0) + 1;
    this.ctx.storage.kv.put("count", count);
    return count;
  }

  async run(path) {
    const results = {};
    for (const [name, run] of Object.entries(routes[path](this, this.ctx.facets))) {
      results[name] = await outcome(run);
    }
    return results;
  }
}

async function outcome(run) {
  try {
    const value = await run();
    return value === undefined ? "undefined" : value;
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

const unused = () => {
  throw new Error("this callback must not run");
};

/** The error's type; its message names the runtime's own types. */
const errorType = async (run) => (await outcome(run)).split(":")[0];

const routes = {
  "/use": (self, facets) => ({
    "nothing starts before the first use": () => {
      facets.get("lazy", unused);
      return self.starts;
    },
    "call": () => self.app("a").version(),
    "fetch": async () => await (await self.app("a").fetch("http://x/path")).text(),
    "the callback ran once": () => self.starts,
    "a later callback is not used": () => facets.get("a", unused).version(),
    "one stub many calls": async () => {
      const app = self.app("a");
      return await Promise.all([app.countInMemory(), app.countInMemory(), app.countInMemory()]);
    },
    "an own database": async () => {
      self.count();
      return [await self.app("a").count(), await self.app("a").count(), self.count()];
    },
    "a call waits for the writes before it": async () => {
      const app = self.app("after writes");
      const counts = [];
      for (let round = 0; round < 3; round++) {
        self.count();
        counts.push(await app.count());
      }
      return counts;
    },
    "siblings are apart": async () => [await self.app("b").count(), await self.app("a").count()],
    "SQL": async () => [await self.app("a").rows(), await self.app("a").rows()],
    "an error comes back": () => self.app("a").throws(),
    "missing method": () => self.app("a").missing(),
    "the promise can be awaited later": async () => {
      const promise = self.app("a").version();
      await scheduler.wait(1);
      return await promise;
    },
    "callback is asynchronous": () =>
      facets.get("async", async () => {
        await scheduler.wait(1);
        return { class: self.loaded("one").getDurableObjectClass("App") };
      }).version(),
    "a class of the supervisor's worker": () =>
      facets.get("own", () => ({ class: self.ctx.exports.Supervisor })).count(),
    "stub has no id": () => typeof self.app("a").id,
  }),

  "/identity": (self) => ({
    "the parent's id": async () => {
      const [hex, name] = await self.app("plain").identity();
      return [hex === self.ctx.id.toString(), name];
    },
    "an id of its own": async () => {
      const id = self.ctx.exports.Supervisor.idFromName("other");
      const [hex, name] = await self.app("id", "one", { id }).identity();
      return [hex === id.toString(), name];
    },
    "a text as id": async () => (await self.app("text", "one", { id: "my text" }).identity())[0],
    "no props": () => self.app("plain").props(),
    "props": () => self.app("props", "one", { props: { plan: "free" } }).props(),
  }),

  "/abort": (self, facets) => ({
    "before": async () => [await self.app("a").count(), await self.app("a").countInMemory()],
    "abort": () => facets.abort("a", new RangeError("updated")),
    "new code, old data": async () => {
      const app = self.app("a", "two");
      return [await app.version(), await app.count(), await app.countInMemory()];
    },
    "an old stub gets the reason": async () => {
      const app = self.app("b");
      await app.count();
      facets.abort("b", new RangeError("updated"));
      return await app.count();
    },
    "a call in flight gets the reason": async () => {
      const app = self.app("c");
      const forever = app.forever();
      await app.count();
      facets.abort("c", new TypeError("stop now"));
      return await forever;
    },
    "a text as reason": async () => {
      const app = self.app("d");
      await app.count();
      facets.abort("d", "only text");
      return await app.count();
    },
    "unknown name": () => facets.abort("never", new Error("x")),
    "a facet stops itself": () => self.app("e").stops(),
    "and starts again": () => self.app("e").count(),
  }),

  "/delete": (self, facets) => ({
    "before": async () => [await self.app("a").count(), await self.app("a").count()],
    "delete": () => facets.delete("a"),
    "empty": () => self.app("a").count(),
    "an old stub": async () => {
      const app = self.app("b");
      await app.count();
      facets.delete("b");
      return await app.count();
    },
    "unknown name": () => facets.delete("never"),
    "siblings stay": async () => {
      await self.app("c").count();
      facets.delete("a");
      return await self.app("c").count();
    },
    "children go too": async () => {
      await self.app("p").child("x");
      const before = await self.app("p").child("x");
      facets.delete("p");
      return [before, await self.app("p").child("x")];
    },
  }),

  "/names": (self, facets) => ({
    "longest": () => self.app("x".repeat(256)).version(),
    "too long": () => facets.get("x".repeat(257), unused),
    "bytes count": () => facets.get("\u2603".repeat(86), unused),
    "any text": () => self.app("Class\u0000name / .. \u2603").version(),
    "case matters": async () => [await self.app("case").count(), await self.app("CASE").count()],
    "too long to abort": () => facets.abort("x".repeat(257), new Error("x")),
    "too long to delete": () => facets.delete("x".repeat(257)),
    "no callback": () => facets.get("a"),
  }),

  "/depth": (self) => ({
    "the fourth level has no children": () => self.app("deep").depth(),
    "children have data of their own": async () => [
      await self.app("deep").child("a"),
      await self.app("deep").child("a"),
      await self.app("deep").child("b"),
      await self.app("deep").count(),
    ],
  }),

  "/failures": (self, facets) => ({
    "constructor throws": () => self.app("a", "one", { props: { fails: true } }).count(),
    "the next start is tried": () => self.app("a", "one").count(),
    "options are no object": () => errorType(() => facets.get("b", () => undefined).count()),
    "a class is no class of a facet": () =>
      errorType(() => facets.get("c", () => ({ class: class extends DurableObject {} })).count()),
  }),

  "/retries": (self, facets) => ({
    "callback throws": () =>
      facets.get("a", () => {
        throw new TypeError("no code yet");
      }).count(),
    "then works": () => self.app("a").count(),
    "code has an error": () =>
      facets.get("b", () => ({
        class: self.env.LOADER.get("broken", () => ({
          compatibilityDate: "2026-04-01",
          mainModule: "app.js",
          modules: { "app.js": "export class App {" },
        })).getDurableObjectClass("App"),
      })).count(),
    "then has none": () => self.app("b").count(),
    "no such class": () =>
      facets.get("c", () => ({
        class: self.loaded("one").getDurableObjectClass("Absent"),
      })).count(),
    "empty name": () => self.app("").count(),
  }),

  "/kept": (self) => ({
    "facet": () => self.app("kept").count(),
    "facet in memory": () => self.app("kept").countInMemory(),
    "child": () => self.app("kept").child("x"),
    "supervisor": () => self.count(),
  }),
};

export default {
  async fetch(request, _env, ctx) {
    const { pathname } = new URL(request.url);
    if (routes[pathname] === undefined) return new Response("no such path", { status: 404 });
    return Response.json(await ctx.exports.Supervisor.getByName(pathname).run(pathname));
  },
};
