// Rules of Durable Objects, facets and alarms that no other app shows: handlers, exports, who dies
// with whom, and what becomes of an alarm that is interrupted.

import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";

async function outcome(run) {
  try {
    const value = await run();
    return value === undefined ? "undefined" : value;
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

/** Waits until `look` gives something, for the second that nothing here takes. */
async function until(look) {
  for (let i = 0; i < 200; i++) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) return found;
    await scheduler.wait(10);
  }
  return "never";
}

/** Handlers are what the instance has, also as a field or a getter. */
export class Handlers extends DurableObject {
  fetch = (request) => new Response(`field ${new URL(request.url).pathname}`);
}

export class Greeter extends WorkerEntrypoint {
  greet() {
    return this.ctx.props;
  }
}

export class Child extends DurableObject {
  #count = 0;
  order = [];

  constructor(ctx, env) {
    super(ctx, env);
    this.ctx.blockConcurrencyWhile(async () => {
      await scheduler.wait(5);
      this.order.push("constructed");
    });
  }

  fetch(request) {
    return new Response(request.url);
  }

  count() {
    this.order.push("called");
    return ++this.#count;
  }

  calls() {
    return this.order;
  }

  stuck() {
    return new Promise(() => {});
  }

  later() {
    this.ctx.waitUntil(scheduler.wait(5).then(() => this.ctx.storage.kv.put("later", true)));
    return this.ctx.storage.kv.get("later") ?? "not yet";
  }

  storedLater() {
    return this.ctx.storage.kv.get("later") ?? null;
  }

  async interleaved() {
    const before = this.#count;
    await scheduler.wait(5);
    return this.#count - before;
  }
}

export class OtherChild extends Child {
  count() {
    return "the other class";
  }
}

export class Parent extends DurableObject {
  facet(name, className = "Child") {
    return this.ctx.facets.get(name, () => ({ class: this.ctx.exports[className] }));
  }

  count(name, className) {
    return this.facet(name, className).count();
  }

  calls(name) {
    return this.facet(name).calls();
  }

  async fetchFacet(url) {
    return await (await this.facet("f").fetch(url)).text();
  }

  stuck(name) {
    return this.facet(name).stuck();
  }

  later() {
    return this.facet("later").later();
  }

  storedLater() {
    return this.facet("later").storedLater();
  }

  async interleaved() {
    const facet = this.facet("interleaved");
    await facet.count();
    const running = facet.interleaved();
    await facet.count();
    return running;
  }

  stop() {
    this.ctx.abort("the parent stops");
  }

  throws() {
    throw new Error("just an exception");
  }

  hasFacets() {
    const { facets } = this.ctx;
    return [typeof facets, typeof facets.get, facets === this.ctx.facets];
  }

  loopbacks() {
    const { exports } = this.ctx;
    const kinds = Object.fromEntries(
      Object.keys(exports).sort().map((name) => [name, typeof exports[name]]),
    );
    return { kinds, same: exports === this.ctx.exports };
  }

  async props() {
    const { Greeter } = this.ctx.exports;
    const twice = () => Greeter({ props: { a: 1 } })({ props: { b: 2 } });
    return [
      await Greeter.greet(),
      await Greeter({ props: { a: 1 } }).greet(),
      (await outcome(async () => twice())).startsWith("TypeError"),
    ];
  }
}

export class Alarmed extends DurableObject {
  async start(kind, delay = 1) {
    this.ctx.storage.kv.put("kind", kind);
    this.ctx.storage.kv.put("runs", 0);
    await this.ctx.storage.setAlarm(Date.now() + delay);
  }

  async alarm(info) {
    const runs = this.ctx.storage.kv.get("runs") + 1;
    this.ctx.storage.kv.put("runs", runs);
    await this.ctx.storage.sync();
    switch (this.ctx.storage.kv.get("kind")) {
      case "give up":
        return this.ctx.abort("enough", { retryAlarm: false });
      case "long":
        while (this.ctx.storage.kv.get("kind") === "long") await scheduler.wait(2);
        this.ctx.storage.kv.put("ended", info.retryCount);
    }
  }

  look() {
    return [this.ctx.storage.kv.get("runs") ?? 0, this.ctx.storage.kv.get("ended") ?? null];
  }

  next() {
    return this.ctx.storage.getAlarm();
  }

  release() {
    this.ctx.storage.kv.put("kind", "released");
  }
}

const routes = {
  "/handlers": (exports) => ({
    "a handler that is a field": () =>
      exports.Handlers.getByName("a").fetch("http://x/p").then((r) => r.text()),
    "no fetch": () => exports.Alarmed.getByName("none").fetch("http://x/"),
  }),

  "/exports": (exports) => ({
    "what there is": () => exports.Parent.getByName("exports").loopbacks(),
    "props": () => exports.Parent.getByName("exports").props(),
    "facets": () => exports.Parent.getByName("exports").hasFacets(),
  }),

  "/facets": (exports) => {
    const parent = (name) => exports.Parent.getByName(name);
    return {
      "the constructor blocks": () => parent("a").count("a").then(() => parent("a").calls("a")),
      "a path is no URL": () => parent("a").fetchFacet("/x"),
      "a URL": () => parent("a").fetchFacet("http://x/y"),
      "another class later is not looked at": async () => [
        await parent("b").count("x"),
        await parent("b").count("x", "OtherChild"),
      ],
      "waitUntil": async () => [
        await parent("c").later(),
        await until(() => parent("c").storedLater()),
      ],
      "calls run while another waits": () => parent("d").interleaved(),
      "an exception of the parent stops nobody": async () => [
        await parent("e").count("x"),
        await outcome(() => parent("e").throws()),
        await parent("e").count("x"),
      ],
      "children stop with their parent": async () => {
        await parent("f").count("x");
        const stuck = outcome(() => parent("f").stuck("x"));
        const stopped = await outcome(() => parent("f").stop());
        return [stopped, await stuck, await parent("f").count("x")];
      },
    };
  },

  "/alarms": (exports) => {
    const object = (name) => exports.Alarmed.getByName(name);
    return {
      "given up": async () => {
        await object("a").start("give up");
        await until(async () => (await outcome(() => object("a").look()))[0] > 0);
        await scheduler.wait(50);
        return [await object("a").look(), await object("a").next()];
      },
      "one at a time": async () => {
        await object("b").start("long");
        await until(async () => (await object("b").look())[0] > 0);
        const during = await object("b").next();
        await object("b").release();
        const ended = await until(async () => (await object("b").look())[1] !== null);
        return [during, ended, await object("b").look()];
      },
    };
  },
};

export default {
  async fetch(request, _env, ctx) {
    const route = routes[new URL(request.url).pathname];
    if (route === undefined) return new Response("not found", { status: 404 });
    const results = {};
    for (const [name, run] of Object.entries(route(ctx.exports))) {
      results[name] = await outcome(run);
    }
    return Response.json(results);
  },
};
