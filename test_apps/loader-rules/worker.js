// What the loader promises about the life of workers and of what comes from them, rule by rule.

import { WorkerEntrypoint } from "cloudflare:workers";

const code = (source, more = {}) => ({
  compatibilityDate: "2026-04-01",
  mainModule: "main.js",
  modules: { "main.js": source },
  ...more,
});

const SAYS = (text) =>
  `export default { fetch() { return new Response(${JSON.stringify(text)}); } }`;
const text = async (worker) => (await worker.getEntrypoint().fetch("http://x/")).text();

async function outcome(run) {
  try {
    return await run();
  } catch (error) {
    return `${error.name}: ${error.message}`.slice(0, 62);
  }
}

/** Lets some requests out, with a secret that who makes them never sees. */
export class Gateway extends WorkerEntrypoint {
  fetch(request) {
    const { hostname } = new URL(request.url);
    if (!this.ctx.props.allowed.includes(hostname)) {
      return new Response("not allowed", { status: 403 });
    }
    const headers = new Headers(request.headers);
    headers.set("authorization", "secret");
    return Response.json([hostname, request.method, headers.get("authorization")]);
  }
}

/** What requests leave for each other. */
const kept = {};

const routes = {
  // The code of a worker is kept as long as its stub, whatever becomes of its isolate.
  async "/recreated"({ loader }) {
    const first = loader.load(code(SAYS("first")));
    const named = loader.get("recreated", () => code(SAYS("named")));
    const before = [await text(first), await text(named)];
    for (let i = 0; i < 50; i++) await text(loader.load(code(SAYS(`another ${i}`))));
    return [before, await text(first), await text(named)];
  },

  // Several uses at once ask for the code once.
  async "/once"({ loader }) {
    let count = 0;
    const get = () =>
      loader.get("once", async () => {
        count++;
        await scheduler.wait(1);
        return code(SAYS("once"));
      });
    const answers = await Promise.all([text(get()), text(get()), text(get())]);
    return [answers, count];
  },

  // Nobody holds on to these while their code is on its way, or only a request does.
  async "/forgotten"({ loader }) {
    const later = (source) => async () => {
      await scheduler.wait(1);
      return code(source);
    };
    for (let i = 0; i < 20; i++) loader.get(null, later(SAYS("never asked")));
    const source = "export default { async fetch() { await scheduler.wait(5); " +
      "return new Response('held by its request'); } }";
    const answers = Array.from({ length: 5 }, () => text(loader.get(null, later(source))));
    return new Set(await Promise.all(answers)).size;
  },

  // A stub is kept by one request and used by another.
  async "/ask"({ loader }) {
    kept.entrypoint = loader.get("kept", () => code(SAYS("kept"))).getEntrypoint();
    return (await kept.entrypoint.fetch("http://x/")).text();
  },

  async "/ask-later"() {
    return outcome(async () => (await kept.entrypoint.fetch("http://x/")).text());
  },

  async "/egress"({ loader, exports }) {
    const source = `export default { async fetch() {
      const ask = async (url) => {
        const response = await fetch(url, { method: "POST", headers: { authorization: "own" } });
        return [response.status, await response.text()];
      };
      const urls = ["https://api.example/a", "https://evil.example/"];
      return Response.json(await Promise.all(urls.map(ask)));
    } }`;
    const globalOutbound = exports.Gateway({ props: { allowed: ["api.example"] } });
    const worker = loader.load(code(source, { globalOutbound }));
    return (await worker.getEntrypoint().fetch("http://x/")).json();
  },

  // As many different workers as one likes.
  async "/many"({ loader }) {
    let good = 0;
    for (let i = 0; i < 120; i++) {
      if (await text(loader.get(`many ${i}`, () => code(SAYS(`${i}`)))) === `${i}`) good++;
    }
    return good;
  },
};

export default {
  async fetch(request, env, ctx) {
    const route = routes[new URL(request.url).pathname];
    if (route === undefined) return new Response("no such path", { status: 404 });
    return Response.json(await route({ loader: env.LOADER, exports: ctx.exports }));
  },
};
