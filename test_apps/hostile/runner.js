// The worker around attacks on what loads code and reaches the network: `/<name>` does one.
import { DurableObject, RpcTarget, WorkerEntrypoint } from "cloudflare:workers";
import { attacks } from "./attacks.js";

export class Own extends WorkerEntrypoint {
  hello() {
    return "hello";
  }
}

export class Room extends DurableObject {
  mark() {
    const { kv } = this.ctx.storage;
    kv.put("mark", kv.get("mark") ?? crypto.randomUUID());
    return kv.get("mark");
  }
}

/** A dynamic worker of one module. */
const load = (env, source, more = {}) =>
  env.LOADER.load({
    compatibilityDate: "2026-08-03",
    mainModule: "main.js",
    modules: { "main.js": source },
    globalOutbound: null,
    ...more,
  });

/** The name of what is thrown, or what is returned. */
const outcome = async (act) => {
  try {
    return String(await act());
  } catch (error) {
    return error.name;
  }
};

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    const attack = attacks[pathname.slice(1)];
    if (attack === undefined) return new Response("fine");
    const result = await attack({ ctx, env, request, load, outcome, RpcTarget });
    return result instanceof Response ? result : new Response(String(result));
  },
};
