// Tail workers: what a supervisor hears of the workers it loaded. Each path answers with one JSON
// object of results.

import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";

const CODE = `
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/throw") throw new RangeError("thrown");
    if (pathname === "/spin") for (;;);
    if (pathname === "/loud") for (let i = 0; i < 1000; i++) console.log("x".repeat(1000));
    console.log("a", 1, { b: [1, "x"] }, null, undefined, new Date(0));
    console.error(new TypeError("logged"));
    console.warn("w");
    await null;
    console.debug("d");
    console.info("%s is %d", "x", 5);
    return new Response("ok", { status: 201 });
  },
};
export class Rpc extends WorkerEntrypoint {
  hello() {
    console.log("in a call");
    return 1;
  }
  fail() {
    throw new Error("in a call");
  }
}`;

const heard = [];

/** Hears of what loaded workers did. */
export class Ear extends WorkerEntrypoint {
  tail(events) {
    heard.push(...JSON.parse(JSON.stringify(events)));
  }
}

/** The same as a Durable Object. */
export class Listener extends DurableObject {
  #heard = [];

  tail(events) {
    this.#heard.push(...JSON.parse(JSON.stringify(events)));
  }

  async next() {
    while (this.#heard.length === 0) await scheduler.wait(5);
    return this.#heard.shift();
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

/** The next event, without what no two runs have in common. */
async function next() {
  while (heard.length === 0) await scheduler.wait(5);
  return plain(heard.shift());
}

function plain(event) {
  const times = [event.wallTime, event.cpuTime, event.eventTimestamp];
  const { exceptions, logs } = event;
  for (const entry of [...exceptions, ...logs]) {
    times.push(entry.timestamp);
    delete entry.timestamp;
    delete entry.stack;
    for (const error of entry.errorInfo ?? []) delete error.stack;
  }
  delete event.wallTime;
  delete event.cpuTime;
  delete event.eventTimestamp;
  delete event.event?.request?.headers?.host;
  event.times = times.every((time) => typeof time === "number");
  return sorted(event);
}

/** The same value with the keys of its objects in order. */
function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const keys = Object.keys(value).sort();
  return Object.fromEntries(keys.map((key) => [key, sorted(value[key])]));
}

const load = (loader, options) =>
  loader.load({
    compatibilityDate: "2026-04-01",
    mainModule: "main.js",
    modules: { "main.js": CODE },
    ...options,
  });

const routes = {
  "/events": (loader, ear) => {
    const worker = load(loader, { tails: [ear] });
    const after = async (run) => {
      await outcome(run);
      return await next();
    };
    const fetch = (url, init) => async () =>
      await (await worker.getEntrypoint().fetch(url, init)).text();
    return {
      "fetch": () =>
        after(fetch("http://x/ok?q=1", { headers: { "x-a": "b", authorization: "hidden" } })),
      "exception": () => after(fetch("http://x/throw")),
      "call": () => after(() => worker.getEntrypoint("Rpc").hello()),
      "failed call": () => after(() => worker.getEntrypoint("Rpc").fail()),
      "several tails": async () => {
        const twice = load(loader, { tails: [ear, ear] });
        await (await twice.getEntrypoint().fetch("http://x/ok")).text();
        return [(await next()).outcome, (await next()).outcome, heard.length];
      },
    };
  },

  "/objects": (loader, _ear, exports) => ({
    "a Durable Object": async () => {
      const listener = exports.Listener.get(exports.Listener.idFromName("listener"));
      const worker = load(loader, { tails: [listener] });
      await (await worker.getEntrypoint().fetch("http://x/ok")).text();
      return plain(await listener.next()).event.response;
    },
    "a bare loopback": async () => {
      const worker = load(loader, { tails: [exports.Ear] });
      await (await worker.getEntrypoint().fetch("http://x/ok")).text();
      return (await next()).outcome;
    },
  }),

  "/mistakes": (loader, ear) => ({
    "no list": () => load(loader, { tails: {} }),
    "no stub": () => load(loader, { tails: [{}] }),
    "another loaded worker": () =>
      load(loader, { tails: [load(loader, {}).getEntrypoint()] }),
    "streaming": () => load(loader, { streamingTails: [ear] }),
  }),

  "/limits": (loader, ear) => ({
    "cpu": async () => {
      const worker = load(loader, { tails: [ear], limits: { cpuMs: 50 } });
      await outcome(() => worker.getEntrypoint().fetch("http://x/spin"));
      const { outcome: how, event } = await next();
      return [how, event.request.url];
    },
    "too much to say": async () => {
      const worker = load(loader, { tails: [ear] });
      await (await worker.getEntrypoint().fetch("http://x/loud")).text();
      const { truncated, logs } = await next();
      return [truncated, logs.length > 200 && logs.length < 300];
    },
  }),
};

export default {
  async fetch(request, env, ctx) {
    const route = routes[new URL(request.url).pathname];
    if (route === undefined) return new Response("no such path", { status: 404 });
    const ear = ctx.exports.Ear({ props: {} });
    const results = {};
    for (const [name, run] of Object.entries(route(env.LOADER, ear, ctx.exports))) {
      results[name] = await outcome(run);
    }
    return Response.json(results);
  },
};
