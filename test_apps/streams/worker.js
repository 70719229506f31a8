// Bodies that stream: in from the client, out to it, and untouched through a supervisor to a facet
// and back.
import { DurableObject } from "cloudflare:workers";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const FACET_CODE = `
import { DurableObject } from "cloudflare:workers";

const encoder = new TextEncoder();

export class App extends DurableObject {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    switch (pathname) {
      case "/facet/echo":
        return new Response(request.body, {
          headers: { "content-type": request.headers.get("content-type") ?? "text/plain" },
        });
      case "/facet/length": {
        let length = 0;
        for await (const chunk of request.body) length += chunk.length;
        return Response.json({ length });
      }
      case "/facet/upper":
        return new Response(request.body
          .pipeThrough(new TextDecoderStream())
          .pipeThrough(new TransformStream({
            transform: (chunk, controller) => controller.enqueue(chunk.toUpperCase()),
          }))
          .pipeThrough(new TextEncoderStream()));
      case "/facet/many": {
        let left = Number(searchParams.get("n"));
        return new Response(new ReadableStream({
          async pull(controller) {
            if (left-- === 0) return controller.close();
            await scheduler.wait(0);
            controller.enqueue(encoder.encode("x".repeat(1000)));
          },
        }));
      }
      default:
        return new Response("facet has no such path", { status: 404 });
    }
  }
}
`;

export class Supervisor extends DurableObject {
  /** Hands the request on and the response back as they are. */
  fetch(request) {
    return this.ctx.facets.get("app", () => ({
      class: this.env.LOADER.get("app", () => ({
        compatibilityDate: "2026-04-01",
        mainModule: "app.js",
        modules: { "app.js": FACET_CODE },
        globalOutbound: null,
      })).getDurableObjectClass("App"),
    })).fetch(request);
  }
}

const routes = {
  /** Answers with what comes, while it comes. */
  "/echo": (request) => new Response(request.body),

  /** Answers with the number of the bytes so far, for every chunk, while they come. */
  "/progress": (request) => {
    let bytes = 0;
    return new Response(request.body.pipeThrough(new TransformStream({
      transform(chunk, controller) {
        bytes += chunk.length;
        controller.enqueue(encoder.encode(`${bytes};`));
      },
      flush(controller) {
        controller.enqueue(encoder.encode("end"));
      },
    })));
  },

  /** Writes to one end while the client reads from the other. */
  "/written": (_request, ctx) => {
    const { readable, writable } = new TransformStream();
    ctx.waitUntil((async () => {
      const writer = writable.getWriter();
      for (let part = 0; part < 5; part++) {
        await scheduler.wait(1);
        await writer.write(encoder.encode(`part ${part};`));
      }
      await writer.close();
    })());
    return new Response(readable);
  },

  "/large": () => {
    const chunk = new Uint8Array(64 * 1024).fill(97);
    let left = 64;
    return new Response(new ReadableStream({
      pull: (controller) => left-- === 0 ? controller.close() : controller.enqueue(chunk),
    }));
  },

  "/length": async (request) => {
    let length = 0;
    for await (const chunk of request.body) length += chunk.length;
    return Response.json({ length });
  },

  "/first": async (request) => {
    const reader = request.body.getReader();
    const { value } = await reader.read();
    await reader.cancel("enough");
    return new Response(decoder.decode(value.subarray(0, 5)));
  },

  "/none": (request) => Response.json({ body: request.body }),

  "/error": () =>
    new Response(new ReadableStream({
      pull(controller) {
        controller.error(new Error("broken before the first byte"));
      },
    })),
};

export default {
  fetch(request, _env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/facet/")) {
      return ctx.exports.Supervisor.getByName("streams").fetch(request);
    }
    const route = routes[pathname];
    return route === undefined
      ? new Response("no such path", { status: 404 })
      : route(request, ctx);
  },
};
