// One supervisor with many facets: `/?id=N` asks facet N, which has code and a database of its
// own. What a facet occupies is then an isolate with its database and nothing else.

import { DurableObject } from "cloudflare:workers";

/** Source that differs for every id. */
function source(id) {
  return `import { DurableObject } from "cloudflare:workers";
const APP = ${id};
export class App extends DurableObject {
  fetch() {
    const counter = (this.ctx.storage.kv.get("counter") ?? 0) + 1;
    this.ctx.storage.kv.put("counter", counter);
    return new Response("app " + APP + " made " + counter + " requests\\n");
  }
}
`;
}

export class Supervisor extends DurableObject {
  fetch(request) {
    const id = new URL(request.url).searchParams.get("id");
    const facet = this.ctx.facets.get(`app-${id}`, () => {
      const worker = this.env.LOADER.get(`app-${id}`, () => ({
        compatibilityDate: "2026-04-01",
        mainModule: "app.js",
        modules: { "app.js": source(Number(id)) },
        globalOutbound: null,
      }));
      return { class: worker.getDurableObjectClass("App") };
    });
    return facet.fetch(request);
  }
}

export default {
  fetch(request, env, ctx) {
    return ctx.exports.Supervisor.getByName("supervisor").fetch(request);
  },
};
