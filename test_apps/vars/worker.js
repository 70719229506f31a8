// Variables of the configuration, and what a worker may do in the background: console, timers,
// waitUntil, and rejections that nobody handles.
import { env as imported } from "cloudflare:workers";

const routes = {
  "/env": (env) => ({
    "GREETING": env.GREETING,
    "EMPTY": env.EMPTY,
    "WITH_EQUALS": env.WITH_EQUALS,
    "unknown": env.UNKNOWN ?? "none",
    "imported": imported.GREETING,
    "names": Object.keys(env).sort(),
  }),

  "/console": () => {
    for (const level of ["debug", "log", "info", "warn", "error"]) {
      console[level]("written as", level, { a: [1, new Map([["k", 2]])] });
    }
    return { "returns": typeof console.log("x"), "more": typeof console.table };
  },

  "/timers": async () => {
    const order = [];
    clearTimeout(setTimeout(() => order.push("never"), 0));
    await new Promise((resolve) => {
      setTimeout((...args) => resolve(order.push(args.join("+"))), 0, "with", "arguments");
      queueMicrotask(() => order.push("microtask"));
      order.push("at once");
    });
    await new Promise((resolve) => {
      let count = 0;
      const interval = setInterval(() => {
        order.push(`interval ${++count}`);
        if (count === 3) resolve(clearInterval(interval));
      }, 1);
    });
    await scheduler.wait(5);
    return { order, "kind": typeof Number(setTimeout(() => {}, 0)) };
  },

  "/background": (_env, ctx) => {
    ctx.waitUntil(scheduler.wait(1));
    ctx.waitUntil(Promise.reject(new Error("a failure in the background")));
    ctx.waitUntil("no promise");
    return { "answered": true };
  },

  "/rejection": () => {
    Promise.reject(new Error("nobody handles this"));
    scheduler.wait(0).then(() => {
      throw new Error("nor this");
    });
    return { "answered": true };
  },

  "/alive": () => ({ "alive": true }),
};

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (routes[pathname] === undefined) return new Response("no such path", { status: 404 });
    return Response.json(await routes[pathname](env, ctx));
  },
};
