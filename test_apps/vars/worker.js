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
    await new Promise((resolve) => {
      setTimeout(() => order.push("late"), 20);
      setTimeout(resolve, 40);
      setTimeout((...args) => order.push(args.join("+")), 0, "with", "arguments");
      clearTimeout(setTimeout(() => order.push("never"), 0));
      queueMicrotask(() => order.push("microtask"));
      let count = 0;
      const interval = setInterval(() => {
        if (++count === 3) clearInterval(interval);
        order.push(`interval ${count}`);
      }, 1);
    });
    return { order, "kind": typeof setTimeout(() => {}, 0) };
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
