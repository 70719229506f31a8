// Capabilities: stubs and classes in `env` and `props` of dynamic workers, and in arguments and
// results of calls. Each path answers with one JSON object of results.
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";

export class Greeter extends WorkerEntrypoint {
  greet(who) {
    return `${this.ctx.props.greeting ?? "Hello"}, ${who}!`;
  }

  fetch(request) {
    return new Response(`greeter at ${new URL(request.url).pathname}`);
  }

  async useCounter(counter, by) {
    return await counter.add(by);
  }

  giveCounter(name) {
    return this.ctx.exports.Counter.getByName(name);
  }

  giveBoth(name) {
    const greeter = this.ctx.exports.Greeter({ props: { greeting: name } });
    return { list: [greeter], map: new Map([["greeter", greeter]]), plain: 1 };
  }

  props() {
    return Object.keys(this.ctx.props);
  }

  async viaProps(who) {
    return await this.ctx.props.inner.greet(who);
  }

  giveBack(value) {
    return value;
  }
}

export class Counter extends DurableObject {
  add(by) {
    const count = (this.ctx.storage.kv.get("count") ?? 0) + by;
    this.ctx.storage.kv.put("count", count);
    return count;
  }

  async facet(name) {
    const facet = this.ctx.facets.get(name, () => ({ class: this.ctx.exports.Notes }));
    return await facet.note("x");
  }

  facetStub() {
    return this.ctx.facets.get("f", () => ({ class: this.ctx.exports.Notes }));
  }

  async facetOfLoaded(code) {
    const worker = this.env.LOADER.load(code);
    const facet = this.ctx.facets.get("loaded", () => ({
      class: worker.getDurableObjectClass("Inner"),
    }));
    return [await facet.greet("facet"), await facet.add(2), await facet.own("x")];
  }
}

export class Notes extends DurableObject {
  note(text) {
    return `${text} of ${this.ctx.props?.owner ?? "nobody"}`;
  }
}

const CODE = `
import { WorkerEntrypoint, DurableObject } from "cloudflare:workers";
export default class extends WorkerEntrypoint {
  async run(expression) {
    try {
      return (await steps[expression](this.env, this.ctx)) ?? "undefined";
    } catch (error) {
      return error.name + ": " + error.message;
    }
  }
  giveOwn() { return this.ctx.exports.Named({ props: {} }); }
  giveBack() { return this.env.SUPERVISOR; }
}
export class Named extends WorkerEntrypoint { hi() { return "hi"; } }
export class Inner extends DurableObject {
  greet(who) { return this.env.SUPERVISOR.greet(who + (this.ctx.props?.mark ?? "")); }
  add(n) { return this.env.COUNTER.add(n); }
  async own(text) {
    const facet = this.ctx.facets.get("inner", () => ({ class: this.env.CLASS }));
    const own = this.ctx.facets.get("own", () => ({
      class: this.ctx.exports.Inner({ props: { mark: "?" } }),
    }));
    const bare = this.ctx.facets.get("bare", () => ({ class: this.ctx.exports.Inner }));
    return [await facet.note(text), await own.greet("own"), await bare.greet("bare")];
  }
}
const steps = {
  greet: (env) => env.SUPERVISOR.greet("DW"),
  fetch: async (env) => await (await env.SUPERVISOR.fetch("http://x/path")).text(),
  props: (env) => env.SUPERVISOR.props(),
  deep: (env) => env.list[1].stub.greet("deep"),
  map: (env) => env.map.get("stub").greet("map"),
  same: (env) => env.list[1].stub === env.map.get("stub"),
  plain: (env) => [env.text, env.date.toISOString(), env.list[0]],
  keys: (env) => Object.keys(env).sort(),
  count: (env) => env.COUNTER.add(3),
  lost: (env) => [typeof env.COUNTER.id, typeof env.COUNTER.name],
  kind: (env) => [Object.prototype.toString.call(env.SUPERVISOR), typeof env.SUPERVISOR,
    Object.prototype.toString.call(env.COUNTER)],
  pass: (env) => env.SUPERVISOR.useCounter(env.COUNTER, 4),
  nested: (env) => env.NESTED.viaProps("nested"),
  "own loopback": (env, ctx) => env.SUPERVISOR.giveBack(ctx.exports.Named),
  "own class": (env, ctx) => env.SUPERVISOR.giveBack(ctx.exports.Inner),
  "own class called": (env, ctx) => env.SUPERVISOR.giveBack(ctx.exports.Inner({ props: {} })),
  "own class kinds": (_env, ctx) => [
    typeof ctx.exports.Inner, typeof ctx.exports.Inner({ props: {} }), typeof ctx.exports.Named,
  ],
  "given class": async (env) => typeof await env.SUPERVISOR.giveBack(env.CLASS),
};
`;

const code = (env) => ({
  compatibilityDate: "2026-04-01",
  mainModule: "main.js",
  modules: { "main.js": CODE },
  globalOutbound: null,
  env,
});

async function outcome(run) {
  try {
    const value = await run();
    return value === undefined ? "undefined" : value;
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

const routes = {
  "/env": (env, exports) => {
    const stub = exports.Greeter({ props: { greeting: "Deep" } });
    const worker = env.LOADER.load(code({
      SUPERVISOR: exports.Greeter({ props: { greeting: "Welcome", secret: 1 } }),
      COUNTER: exports.Counter.getByName("counted"),
      NESTED: exports.Greeter({
        props: { inner: exports.Greeter({ props: { greeting: "Inner" } }) },
      }),
      list: [1, { stub }],
      map: new Map([["stub", stub]]),
      CLASS: exports.Notes({ props: {} }),
      text: "text",
      date: new Date(0),
    }));
    const run = (name) => () => worker.getEntrypoint().run(name);
    const names = ["greet", "fetch", "props", "deep", "map", "same", "plain", "keys", "count",
      "lost", "kind", "pass", "nested", "own loopback", "own class", "own class called",
      "own class kinds", "given class"];
    return Object.fromEntries(names.map((name) => [name, run(name)]));
  },

  "/calls": (env, exports) => {
    const greeter = exports.Greeter({ props: {} });
    return {
      "stub as an argument": () =>
        greeter.useCounter(exports.Counter.getByName("argument"), 2),
      "stub as a result": async () => {
        const counter = await greeter.giveCounter("result");
        return [await counter.add(1), await counter.add(1), typeof counter.id];
      },
      "kind of the result": async () =>
        Object.prototype.toString.call(await greeter.giveCounter("result")),
      "stubs inside": async () => {
        const { list, map, plain } = await greeter.giveBoth("Hey");
        return [await list[0].greet("you"), await map.get("greeter").greet("too"), plain];
      },
      "there and back": async () => {
        const back = await greeter.giveBack(exports.Greeter({ props: { greeting: "Back" } }));
        return await back.greet("again");
      },
      "class there and back": async () =>
        typeof await greeter.giveBack(exports.Notes({ props: {} })),
      "props with a stub": () =>
        exports.Greeter({ props: { inner: exports.Greeter({ props: { greeting: "In" } }) } })
          .viaProps("props"),
      "facet stub": () => exports.Counter.getByName("f").facetStub(),
      "loopback not called": () => greeter.giveBack(exports.Greeter),
      "namespace": () => greeter.giveBack(exports.Counter),
      "loader": () => greeter.giveBack(env.LOADER),
      "stub of a loaded worker": () =>
        greeter.giveBack(env.LOADER.load(code({})).getEntrypoint()),
      "class of a loaded worker": () =>
        greeter.giveBack(env.LOADER.load(code({})).getDurableObjectClass("Inner")),
      "own stub of a loaded worker": () => env.LOADER.load(code({})).getEntrypoint().giveOwn(),
      "given stub of a loaded worker": async () => {
        const SUPERVISOR = exports.Greeter({ props: { greeting: "Given" } });
        const back = await env.LOADER.load(code({ SUPERVISOR })).getEntrypoint().giveBack();
        return await back.greet("back");
      },
    };
  },

  "/classes": (env, exports) => ({
    "facet of a loaded class": () =>
      exports.Counter.getByName("facets").facetOfLoaded(code({
        SUPERVISOR: exports.Greeter({ props: { greeting: "Facet" } }),
        COUNTER: exports.Counter.getByName("by facet"),
        CLASS: exports.Notes({ props: { owner: "me" } }),
      })),
  }),

  "/refused-env": (env, exports) => {
    const load = (value) => () => {
      env.LOADER.load(code({ deep: [value] }));
      return "accepted";
    };
    class Own {}
    return {
      "loopback not called": load(exports.Greeter),
      "namespace": load(exports.Counter),
      "loader": load(env.LOADER),
      "stub of a loaded worker": () => load(env.LOADER.load(code({})).getEntrypoint())(),
      "class instance": load(new Own()),
      "symbol": load(Symbol("s")),
    };
  },
};

export default {
  async fetch(request, env, ctx) {
    const route = routes[new URL(request.url).pathname];
    if (route === undefined) return new Response("no such path", { status: 404 });
    const results = {};
    for (const [name, run] of Object.entries(route(env, ctx.exports))) {
      results[name] = await outcome(run);
    }
    return Response.json(results);
  },
};
