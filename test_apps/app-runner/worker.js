// Cloudflare's AppRunner: a Durable Object that loads an app's code at run time and runs it as a
// facet of itself, with a database of the app's own.
import { DurableObject } from "cloudflare:workers";

/** The app of a name that was given no code yet. */
const EXAMPLE_CODE = `
import { DurableObject } from "cloudflare:workers";

export class App extends DurableObject {
  fetch(request) {
    let counter = this.ctx.storage.kv.get("counter") || 0;
    ++counter;
    this.ctx.storage.kv.put("counter", counter);
    return new Response("You've made " + counter + " requests.\\n");
  }
}
`;

export class AppRunner extends DurableObject {
  async fetch(request) {
    const facet = this.ctx.facets.get("app", async () => {
      const worker = this.#loadDynamicWorker();
      return { class: worker.getDurableObjectClass("App") };
    });
    return await facet.fetch(request);
  }

  /** Replaces the app's code. The next request starts the new code on the old data. */
  setCode(code) {
    const replaced = this.ctx.storage.kv.get("codeId") !== undefined;
    this.ctx.storage.kv.put("codeId", crypto.randomUUID());
    this.ctx.storage.kv.put("code", code);
    if (replaced) {
      this.ctx.facets.abort("app", new Error("code updated"));
    }
  }

  #loadDynamicWorker() {
    if (this.ctx.storage.kv.get("codeId") === undefined) {
      this.setCode(EXAMPLE_CODE);
    }
    const codeId = this.ctx.storage.kv.get("codeId");
    return this.env.LOADER.get(codeId, async () => ({
      compatibilityDate: "2026-04-01",
      mainModule: "worker.js",
      modules: { "worker.js": this.ctx.storage.kv.get("code") },
      globalOutbound: null,
    }));
  }
}

export default {
  async fetch(request, env, ctx) {
    const name = new URL(request.url).searchParams.get("app") ?? "my-app";
    const runner = ctx.exports.AppRunner.getByName(name);
    if (request.method === "PUT") {
      await runner.setCode(await request.text());
      return new Response(null, { status: 204 });
    }
    return await runner.fetch(request);
  },
};
