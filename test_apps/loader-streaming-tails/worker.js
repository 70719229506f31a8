// Streaming tail workers: a supervisor hears of what the workers it loaded do while they do it.

import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";

const CODE = `
import { WorkerEntrypoint } from "cloudflare:workers";
export default {
  async fetch(request) {
    console.log("hello", { a: 1 });
    console.error("bad");
    if (request.url.includes("throw")) throw new TypeError("thrown");
    if (request.url.includes("wait")) await request.text();
    return new Response("body", { status: 201 });
  },
};
export class Rpc extends WorkerEntrypoint {
  get prop() {
    return 7;
  }
  fail() {
    throw new RangeError("in a call");
  }
  add(a, b) {
    console.warn(a + b);
    return a + b;
  }
}`;

let heard = [];

/** Hears of everything by one function. */
export class Ear extends WorkerEntrypoint {
  tailStream(onset) {
    heard.push(onset);
    return (event) => void heard.push(event);
  }
}

/** Hears of some things, each by a function of its own. */
export class Members extends WorkerEntrypoint {
  async tailStream() {
    const note = (kind) => ({ event }) => void heard.push([kind, event.type]);
    return { log: note("a log"), return: note("a return"), outcome: note("an outcome") };
  }
}

/** Wants nothing but the beginning. */
export class Onset extends WorkerEntrypoint {
  tailStream(onset) {
    heard.push(onset.event.type);
  }
}

/** An object hears as well. */
export class Listener extends DurableObject {
  #types = [];

  tailStream({ event }) {
    this.#types.push(event.type);
    return ({ event: { type } }) => void this.#types.push(type);
  }

  async types() {
    while (!this.#types.includes("outcome")) await scheduler.wait(5);
    return this.#types;
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

const load = (loader, options) =>
  loader.load({
    compatibilityDate: "2026-04-01",
    allowExperimental: true,
    mainModule: "main.js",
    modules: { "main.js": CODE },
    ...options,
  });

/** What was heard, with names instead of what no two runs have in common. */
async function all(is = ({ event }) => event.type === "outcome") {
  while (!is(heard.at(-1) ?? { event: {} })) await scheduler.wait(5);
  const names = new Map();
  const named = (id) => {
    if (id !== undefined && !names.has(id)) names.set(id, `id ${names.size + 1}`);
    return names.get(id);
  };
  const plain = ({ spanContext, invocationId, timestamp, sequence, event }) => {
    delete event.cpuTime;
    delete event.wallTime;
    delete event.stack;
    if (event.spanId !== undefined) event.spanId = named(event.spanId);
    const ids = [spanContext.traceId, spanContext.spanId, invocationId].map(named);
    const is = timestamp instanceof Date && typeof spanContext.traceId === "string";
    return [ids, is, sequence, Object.fromEntries(Object.entries(event).sort())];
  };
  const found = heard.map(plain);
  heard = [];
  return found;
}

const routes = {
  "/events": (loader, { Ear }) => {
    const worker = load(loader, { streamingTails: [Ear({})] });
    const after = async (run) => {
      const result = await outcome(run);
      return [result, await all()];
    };
    const get = (url) => async () => {
      const response = await worker.getEntrypoint().fetch(url, { headers: { "x-a": "b" } });
      return await response.text();
    };
    const rpc = worker.getEntrypoint("Rpc");
    return {
      "fetch": () => after(get("http://x/ok?q=1")),
      "exception": () => after(get("http://x/throw")),
      "call": () => after(() => rpc.add(1, 2)),
      "failed call": () => after(() => rpc.fail()),
      "property": () => after(() => rpc.prop),
    };
  },

  "/while": (loader, { Ear }) => ({
    "before it is over": async () => {
      const worker = load(loader, { streamingTails: [Ear({})] });
      const { readable, writable } = new TransformStream();
      const init = { method: "POST", body: readable };
      const response = worker.getEntrypoint().fetch("http://x/wait", init);
      while (heard.length < 3) await scheduler.wait(5);
      const types = heard.map(({ event }) => event.type);
      await writable.close();
      await (await response).text();
      await all();
      return types;
    },
  }),

  "/handlers": (loader, exports) => ({
    "members": async () => {
      const worker = load(loader, { streamingTails: [exports.Members({})] });
      await (await worker.getEntrypoint().fetch("http://x/")).text();
      while (heard.at(-1)?.[1] !== "outcome") await scheduler.wait(5);
      return heard.splice(0);
    },
    "none": async () => {
      const worker = load(loader, { streamingTails: [exports.Onset({})] });
      await (await worker.getEntrypoint().fetch("http://x/")).text();
      while (heard.length === 0) await scheduler.wait(5);
      return heard.splice(0);
    },
    "an object": async () => {
      const listener = exports.Listener.getByName("one");
      const worker = load(loader, { streamingTails: [listener] });
      await (await worker.getEntrypoint().fetch("http://x/")).text();
      return await listener.types();
    },
    "both kinds": async () => {
      const tails = [exports.Ear({}), exports.Ear({})];
      const worker = load(loader, { streamingTails: tails });
      await (await worker.getEntrypoint().fetch("http://x/")).text();
      const is = () => heard.filter(({ event }) => event.type === "outcome").length === 2;
      return (await all(is)).length;
    },
  }),

  "/mistakes": (loader, { Ear }) => {
    const attempt = (options) => () => void load(loader, options);
    const ear = Ear({});
    return {
      "not allowed": attempt({ allowExperimental: false, streamingTails: [ear] }),
      "not even none": attempt({ allowExperimental: false, streamingTails: [] }),
      "left out": attempt({ allowExperimental: false, streamingTails: undefined }),
      "no list": attempt({ streamingTails: ear.x }),
      "no stub": attempt({ streamingTails: [{}] }),
    };
  },
};

export default {
  async fetch(request, env, ctx) {
    const route = routes[new URL(request.url).pathname];
    if (route === undefined) return new Response("no such path", { status: 404 });
    const results = {};
    for (const [name, run] of Object.entries(route(env.LOADER, ctx.exports))) {
      results[name] = await outcome(run);
    }
    return Response.json(results);
  },
};
