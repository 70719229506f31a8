// itty-router: its three routers, middleware, CORS, and what it makes of values and errors.

import {
  AutoRouter,
  cors,
  error,
  html,
  IttyRouter,
  json,
  Router,
  status,
  text,
  withContent,
  withCookies,
  withParams,
} from "itty-router";

const { preflight, corsify } = cors({ origin: "https://a.example", allowMethods: "GET, POST" });

const auto = AutoRouter({ before: [preflight], finally: [corsify] })
  .get("/hello/:name", ({ name }) => `Hello, ${name}!`)
  .get("/json", () => ({ a: [1, 2] }))
  .get("/await", async () => ({ awaited: true }))
  .get("/query", ({ query }) => query)
  .get("/files/:path+", ({ path }) => ({ path }))
  .get("/image.:ext(png|jpg)", ({ ext }) => ({ ext }))
  .get("/optional/:id?", ({ id }) => ({ id: id ?? null }))
  .post("/content", withContent, ({ content }) => ({ content }))
  .get("/status", () => status(204))
  .get("/error", () => error(418, { message: "a teapot" }))
  .get("/throw", () => {
    throw new Error("broken");
  })
  .get("/status-error", () => {
    throw Object.assign(new Error("not now"), { status: 409 });
  })
  .all("/any", ({ method }) => ({ method }));

const plain = IttyRouter({ base: "/v1" })
  .get("/a", () => new Response("plain a"))
  .get("/b", () => undefined, () => text("second handler"));

const staged = Router({ before: [withParams, withCookies], catch: error, finally: [json] })
  .get("/cookies", ({ cookies }) => cookies)
  .get("/page", () => html("<p>page</p>"))
  .get("/arguments/:x", ({ x }, env) => ({ x, env }));

async function ask(router, path, init, ...more) {
  const response = await router.fetch(new Request(`http://app.example${path}`, init), ...more);
  if (response === undefined) return "no response";
  return {
    status: response.status,
    headers: [...response.headers].sort(),
    body: await response.text(),
  };
}

export default {
  async fetch() {
    const origin = { headers: { origin: "https://a.example" } };
    const json = { "content-type": "application/json" };
    return Response.json({
      hello: await ask(auto, "/hello/you"),
      json: await ask(auto, "/json", origin),
      await: await ask(auto, "/await"),
      query: await ask(auto, "/query?a=1&a=2&b="),
      files: await ask(auto, "/files/a/b/c.txt"),
      image: await ask(auto, "/image.png"),
      "image other": await ask(auto, "/image.gif"),
      optional: await ask(auto, "/optional"),
      "optional given": await ask(auto, "/optional/7"),
      content: await ask(auto, "/content", { method: "POST", body: '{"a":1}', headers: json }),
      "content text": await ask(auto, "/content", { method: "POST", body: "text" }),
      status: await ask(auto, "/status"),
      error: await ask(auto, "/error"),
      throw: await ask(auto, "/throw"),
      "status error": await ask(auto, "/status-error"),
      any: await ask(auto, "/any", { method: "DELETE" }),
      preflight: await ask(auto, "/json", { method: "OPTIONS", ...origin }),
      missing: await ask(auto, "/nowhere"),
      base: await ask(plain, "/v1/a"),
      second: await ask(plain, "/v1/b"),
      none: await ask(plain, "/a"),
      cookies: await ask(staged, "/cookies", { headers: { cookie: "a=1; b=two" } }),
      page: await ask(staged, "/page"),
      arguments: await ask(staged, "/arguments/y", undefined, { B: 1 }),
    });
  },
};
