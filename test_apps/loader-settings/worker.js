// What a supervisor sets for loaded workers: compatibility dates and flags, and limits. Each path
// answers with one JSON object of results.

import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";

const DATE = "2026-04-01";

const answering = (expression) => `import { env as imported } from "cloudflare:workers";
export default { async fetch(request, env, ctx) {
  return Response.json(await (${expression}) ?? "undefined");
} };`;

/** Where the requests of loaded workers go. */
export class Gate extends WorkerEntrypoint {
  async fetch(request) {
    const { method, url, headers } = request;
    return Response.json([method, url, headers.get("x"), await request.text(), this.ctx.props]);
  }
}

/** The same as a Durable Object. */
export class Guard extends DurableObject {
  fetch(request) {
    return Response.json(["guard", request.url]);
  }
}

/** What a loaded worker may call. */
export class Echo extends WorkerEntrypoint {
  echo(value) {
    return value;
  }
}

async function outcome(run) {
  try {
    const value = await run();
    return value === undefined ? "undefined" : value;
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

const SPIN = "(() => { for (;;); })()";
const FLAGS = "Cloudflare.compatibilityFlags";

const routes = {
  "/compatibility": ({ ask }) => {
    const flags = (...compatibilityFlags) => ask("1", { compatibilityFlags });
    const on = (compatibilityDate, expression, ...compatibilityFlags) =>
      ask(expression, { compatibilityDate, compatibilityFlags });
    return {
      "no date": () => ask("1", { compatibilityDate: undefined }),
      "no such date": () => ask("1", { compatibilityDate: "x" }),
      "no such month": () => ask("1", { compatibilityDate: "2026-13-40" }),
      "a number": () => ask("1", { compatibilityDate: 5 }),
      "old date": () => ask("1", { compatibilityDate: "2021-01-01" }),
      "unknown flag": () => flags("nope"),
      "two unknown flags": () => flags("nope", "neither"),
      "both ways": () => flags("nodejs_compat", "no_nodejs_compat"),
      "twice": () => flags("nodejs_compat", "nodejs_compat"),
      "on already": () => flags("enable_ctx_exports"),
      "flags are a list": () => ask("1", { compatibilityFlags: "rpc" }),
      "allowExperimental": () => ask("1", { allowExperimental: true }),
      "ctx.exports before its date": () => on("2025-11-16", "typeof ctx.exports"),
      "ctx.exports by flag": () => on("2025-11-16", "typeof ctx.exports", "enable_ctx_exports"),
      "ctx.exports on its date": () => on("2025-11-17", "typeof ctx.exports"),
      "no ctx.exports by flag": () => on(DATE, "typeof ctx.exports", "disable_ctx_exports"),
      "env for import": () => ask("Object.keys(imported)", { env: { A: 1 } }),
      "no env for import": () =>
        ask("[Object.keys(imported), Object.keys(env)]", {
          env: { A: 1 },
          compatibilityFlags: ["disallow_importable_env"],
        }),
      "flags can be read": () =>
        ask(`[${FLAGS}.rpc, ${FLAGS}.experimental, ${FLAGS}.nope === undefined]`),
      "flags of a date": () =>
        on("2026-01-19", `${FLAGS}.rpc_params_dup_stubs`).then(async (before) => [
          before,
          await on("2026-01-20", `${FLAGS}.rpc_params_dup_stubs`),
        ]),
    };
  },

  "/shapes": ({ ask, loader }) => ({
    "limits": () => ask("1", { limits: { cpuMs: 1000, subRequests: 10 } }),
    "null": () => ask("1", { limits: null }),
    "fraction": () => ask("1", { limits: { cpuMs: 1000.5 } }),
    "negative": () => ask("1", { limits: { cpuMs: -1 } }),
    "no number": () => ask("1", { limits: { subRequests: "x" } }),
    "no object": () => ask("1", { limits: 5 }),
    "env null": () => ask("1", { env: null }),
    "env a number": () => ask("1", { env: 5 }),
    "no arguments": () => loader.get(),
  }),

  "/outbound": ({ ask, worker, exports }) => {
    const request = `fetch("http://out.example/a?b", {
      method: "PUT", headers: { x: "y" }, body: "body",
    }).then((r) => r.json())`;
    const out = (globalOutbound) => ask(request, { globalOutbound });
    return {
      "an entrypoint": () => out(exports.Gate({ props: { from: "here" } })),
      "a bare loopback": () => out(exports.Gate),
      "a Durable Object": () => out(exports.Guard.get(exports.Guard.idFromName("guard"))),
      "null": () => out(null),
      "no stub": () => out({}),
      "a namespace": () => out(exports.Guard),
      "another loaded worker": () => out(worker("1").getEntrypoint()),
    };
  },

  "/experimental": ({ ask }) => ({
    "flag": () => ask("1", { compatibilityFlags: ["experimental"] }),
  }),

  "/limits": ({ ask, worker, echo }) => {
    const limited = (limits, expression) => ask(expression, { limits, env: { echo } });
    const calls = (count) =>
      `(async () => {
        let last = 0;
        for (let i = 1; i <= ${count}; i++) last = await env.echo.echo(i);
        return last;
      })()`;
    const timer = "new Promise((resolve) => setTimeout(resolve, 60_000))";
    return {
      "cpuMs": () => limited({ cpuMs: 50 }, SPIN),
      "cpuMs, not passed": () => limited({ cpuMs: 5000 }, "1"),
      "cpuMs over several turns": () =>
        limited({ cpuMs: 60 }, `(async () => {
          const spin = (ms) => { const end = Date.now() + ms; while (Date.now() < end); };
          for (let i = 0; i < 1000; i++) { spin(10); await env.echo.echo(i); }
        })()`),
      "cpuMs of an entrypoint": () =>
        worker(SPIN, { limits: { cpuMs: 20_000 } })
          .getEntrypoint("default", { limits: { cpuMs: 50 } }).fetch("http://x/"),
      "subRequests": () => limited({ subRequests: 3 }, calls(4)),
      "subRequests, not passed": () => limited({ subRequests: 3 }, calls(3)),
      "subRequests are counted per event": async () => {
        const entry = worker(calls(2), { limits: { subRequests: 2 }, env: { echo } })
          .getEntrypoint();
        const get = async () => await (await entry.fetch("http://x/")).json();
        return [await get(), await get()];
      },
      "subRequests: the lower one": () =>
        worker(calls(2), { limits: { subRequests: 5 }, env: { echo } })
          .getEntrypoint(null, { limits: { subRequests: 1 } }).fetch("http://x/"),
      "wallMs": () => limited({ wallMs: 50 }, timer),
      "wallMs, not passed": () => limited({ wallMs: 20_000 }, "1"),
      "memoryMb": () =>
        limited({ memoryMb: 16 }, `(() => {
          const kept = [];
          for (;;) kept.push(new Array(1000).fill({}));
        })()`),
      "memoryMb, not passed": () => limited({ memoryMb: 64 }, "new Array(1000).fill(1).length"),
    };
  },
};

export default {
  async fetch(request, env, ctx) {
    const route = routes[new URL(request.url).pathname];
    if (route === undefined) return new Response("no such path", { status: 404 });
    const worker = (expression, options = {}) =>
      env.LOADER.load({
        compatibilityDate: DATE,
        mainModule: "main.js",
        modules: { "main.js": answering(expression) },
        ...options,
      });
    const ask = async (expression, options) =>
      await (await worker(expression, options).getEntrypoint().fetch("http://x/")).json();
    const echo = ctx.exports.Echo({ props: {} });
    const results = {};
    const given = { ask, worker, echo, loader: env.LOADER, exports: ctx.exports };
    for (const [name, run] of Object.entries(route(given))) results[name] = await outcome(run);
    return Response.json(results);
  },
};
