// How loaded workers end: by abortIsolate(), and by the limits of a class that a facet has.

import { DurableObject } from "cloudflare:workers";

const CODE = `import { DurableObject, WorkerEntrypoint, abortIsolate } from "cloudflare:workers";
let count = 0;
export class Entry extends WorkerEntrypoint {
  ping() { return ++count; }
  crash() { abortIsolate("enough"); }
  crashLater() { return new Promise(() => setTimeout(() => abortIsolate(), 1)); }
  wait() { return new Promise(() => {}); }
  caught() {
    try { abortIsolate(); } catch { return "caught"; } finally { count = 1000; }
  }
}
export class App extends DurableObject {
  ping() { return ++count; }
  crash() { abortIsolate("enough"); }
  spin() { for (;;); }
  async calls(echo, times) {
    let last = 0;
    for (let i = 1; i <= times; i++) last = await echo(i);
    return last;
  }
}`;

const code = () => ({
  compatibilityDate: "2026-04-01",
  mainModule: "main.js",
  modules: { "main.js": CODE },
});

/** What a failed promise says; workerd says "internal error" with a number. */
async function failure(promise) {
  try {
    return await promise;
  } catch (error) {
    return error.message.replace(/; reference = .*/, "");
  }
}

async function named(loader, method) {
  let loads = 0;
  const entry = () =>
    loader.get(`named ${method}`, () => {
      loads++;
      return code();
    }).getEntrypoint("Entry");
  const first = entry();
  const before = [await first.ping(), await first.ping(), await entry().ping()];
  const waiting = failure(first.wait());
  const failed = [await failure(first[method]()), await waiting];
  const after = [await entry().ping(), await entry().ping()];
  return { before, failed: failed.map((text) => text !== "caught"), after, loads };
}

async function anonymous(loader) {
  const entry = loader.get(null, code).getEntrypoint("Entry");
  const before = [await entry.ping(), await entry.ping()];
  const failed = await failure(entry.crash());
  return { before, failed: typeof failed };
}

export class Supervisor extends DurableObject {
  facet(name, limits) {
    const worker = this.env.LOADER.get("classes", code);
    return this.ctx.facets.get(name, () => ({
      class: worker.getDurableObjectClass("App", { limits }),
    }));
  }

  async abort() {
    const facet = this.facet("a");
    const before = [await facet.ping(), await facet.ping()];
    const failed = await failure(facet.crash());
    return { before, failed: typeof failed, after: await this.facet("a").ping() };
  }

  async limits() {
    const echo = (value) => value;
    const calls = this.facet("calls", { subRequests: 2 });
    const two = await calls.calls(echo, 2);
    const three = await failure(calls.calls(echo, 3));
    const free = await this.facet("free").calls(echo, 5);
    const spin = await failure(this.facet("spin", { cpuMs: 50 }).spin());
    return { two, three, free, spin };
  }

  wrongLimits() {
    return failure((async () => this.facet("wrong", { cpuMs: -1 }).ping())());
  }
}

export default {
  async fetch(request, env, ctx) {
    const supervisor = () => ctx.exports.Supervisor.getByName("a");
    switch (new URL(request.url).pathname) {
      case "/named":
        return Response.json(await named(env.LOADER, "crash"));
      case "/later":
        return Response.json(await named(env.LOADER, "crashLater"));
      case "/caught":
        return Response.json(await named(env.LOADER, "caught"));
      case "/anonymous":
        return Response.json(await anonymous(env.LOADER));
      case "/facet":
        return Response.json(await supervisor().abort());
      case "/limits":
        return Response.json(await supervisor().limits());
      case "/wrong-limits":
        return Response.json({ error: await supervisor().wrongLimits() });
    }
    return new Response("not found", { status: 404 });
  },
};
