// The server that the worker of this folder fetches from.

const routes = {
  "/text": () =>
    new Response("plain text", { headers: { "x-own": "a", "cache-control": "no-store" } }),

  "/echo": async (request) => {
    const { method, headers } = request;
    const names = ["accept", "authorization", "content-length", "content-type", "cookie", "x-own"];
    const found = {};
    for (const name of names) if (headers.has(name)) found[name] = headers.get(name);
    return Response.json({ method, headers: found, body: await request.text() });
  },

  "/names": (request) => Response.json([...request.headers.keys()]),

  "/query": (request) => new Response(new URL(request.url).search),

  "/redirect": (request) => {
    const { searchParams } = new URL(request.url);
    return new Response("moved", {
      status: Number(searchParams.get("status") ?? 302),
      headers: searchParams.has("to") ? { location: searchParams.get("to") } : {},
    });
  },

  "/loop": () => new Response("again", { status: 302, headers: { location: "/loop" } }),

  "/cookies": () => {
    const headers = new Headers();
    headers.append("set-cookie", "a=1");
    headers.append("set-cookie", "b=2; Path=/");
    return new Response("", { headers });
  },

  "/status": (request) => {
    const status = Number(new URL(request.url).searchParams.get("status"));
    return new Response(status === 204 || status === 304 ? null : `status ${status}`, { status });
  },

  /** Begins an answer and never ends it. */
  "/open": () => new Response(new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode("begun"));
    },
  })),

  "/never": () => new Promise(() => setTimeout(() => {}, 600_000)),

  "/parts": () => {
    let left = 3;
    return new Response(new ReadableStream({
      async pull(controller) {
        await scheduler.wait(1);
        if (left-- === 0) controller.close();
        else controller.enqueue(new TextEncoder().encode(`part ${left};`));
      },
    }));
  },

  "/sink": async (request) => {
    let length = 0;
    for await (const chunk of request.body) length += chunk.length;
    const { headers } = request;
    return Response.json({ length, announced: headers.get("content-length") });
  },
};

export default {
  fetch(request) {
    const route = routes[new URL(request.url).pathname];
    return route === undefined ? new Response("no such path", { status: 404 }) : route(request);
  },
};
