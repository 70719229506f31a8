// What bundlers make of people's code, loaded as it is: an app with Hono in one file, and the
// modules that npm's @cloudflare/worker-bundler 0.2.3 gives for a small TypeScript project.

import hono from "./hono_app.txt";
import bundled from "./bundled.json";

const DATE = { compatibilityDate: "2026-04-01" };

async function answer(entrypoint, path, init) {
  const response = await entrypoint.fetch(`http://app.example${path}`, init);
  const type = response.headers.get("content-type");
  return [response.status, type, await response.text()];
}

export default {
  async fetch(request, env) {
    const worker = env.LOADER.get("hono", () => ({
      ...DATE,
      mainModule: "app.js",
      modules: { "app.js": hono },
      env: { GREETING: "hello" },
    }));
    const app = worker.getEntrypoint();
    const headers = { "content-type": "application/json" };
    const post = { method: "POST", body: '{"a":1}', headers };
    const allowed = await app.fetch("http://app.example/api/items/1", {
      headers: { origin: "http://other.example" },
    });
    const project = env.LOADER.load({ ...DATE, ...bundled, env: { NAME: "you" } });
    return Response.json({
      "hono: text": await answer(app, "/"),
      "hono: parameters": await answer(app, "/api/items/42?q=x"),
      "hono: no match": await answer(app, "/api/items/x"),
      "hono: body": await answer(app, "/api/echo", post),
      "hono: html": await answer(app, "/html"),
      "hono: exception": await answer(app, "/fail"),
      "hono: cors": allowed.headers.get("access-control-allow-origin"),
      "worker-bundler": await answer(project.getEntrypoint(), "/"),
    });
  },
};
