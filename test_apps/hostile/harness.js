// The app around an attack: `/attack` does it, every other path shows that the app is well.
import { DurableObject, RpcTarget } from "cloudflare:workers";
import attack from "./attack.js";

/** What attacks have as facets. */
export class Facet extends DurableObject {
  fetch(request) {
    const { kv } = this.ctx.storage;
    switch (new URL(request.url).pathname) {
      case "/keep":
        kv.put("kept", 1);
        return new Response("kept");
      case "/kept":
        return new Response(String(kv.get("kept") ?? null));
      case "/mark":
        kv.put("mark", kv.get("mark") ?? crypto.randomUUID());
        return new Response(kv.get("mark"));
      case "/loop":
        for (;;);
    }
  }
  deeper(levels) {
    return deeper(this.ctx, levels);
  }
  pong(target) {
    return target.ping();
  }
  nothing() {}
}

/** Calls back whoever calls it. */
class Target extends RpcTarget {
  constructor(stub) {
    super();
    this.stub = stub;
  }
  ping() {
    return this.stub.pong(this);
  }
}

const facet = (ctx, name) => ctx.facets.get(name, () => ({ class: ctx.exports.Facet }));
const deeper = (ctx, levels) => levels === 0 ? "deep" : facet(ctx, "child").deeper(levels - 1);

export class App extends DurableObject {
  async fetch(request) {
    if (new URL(request.url).pathname !== "/attack") return new Response("fine");
    const { ctx, env } = this;
    const result = await attack({ ctx, env, request, facet, deeper, Target });
    return result instanceof Response ? result : new Response(String(result));
  }
}
