// `env.LOADER`: code that is loaded at run time, in every form and with every mistake. Each path
// answers with one JSON object of results.

const DATE = { compatibilityDate: "2026-04-01" };

/** Code of one module. */
const single = (source, options = {}) => ({
  ...DATE,
  mainModule: "main.js",
  modules: { "main.js": source },
  globalOutbound: null,
  ...options,
});

const answering = (expression) => `export default { async fetch(request, env, ctx) {
  return Response.json(await (${expression}) ?? "undefined");
} };`;

const COUNTER = `let count = 0; export default { fetch() { return Response.json(++count); } };`;

const ENTRYPOINTS = `
import { WorkerEntrypoint, DurableObject } from "cloudflare:workers";
export default class extends WorkerEntrypoint {
  hello(name) { return "hello " + name; }
  props() { return this.ctx.props; }
}
export class Named extends WorkerEntrypoint {
  hello(name) { return "named " + name + " " + (this.ctx.props.from ?? ""); }
  fetch() { return new Response("named fetch"); }
}
export const plain = { fetch: () => new Response("plain object"), double: (n, env, ctx) => n * 2 };
export class App extends DurableObject {}
export const other = () => "no entrypoint";
`;

async function outcome(run) {
  try {
    const value = await run();
    return value === undefined ? "undefined" : value;
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

/** The JSON that a loaded worker's default entrypoint answers with. */
const ask = async (worker, url = "http://x/") =>
  await (await worker.getEntrypoint().fetch(url)).json();

const routes = {
  "/identity": (loader) => {
    const counter = (name) => loader.get(name, () => single(COUNTER));
    return {
      "one name, one worker": async () => [
        await ask(counter("counter")),
        await ask(counter("counter")),
      ],
      "other name, other worker": () => ask(counter("second counter")),
      "no name, always new": async () => [await ask(counter(null)), await ask(counter(null))],
      "undefined is no name": () => ask(counter(undefined)),
      "load is always new": async () => [
        await ask(loader.load(single(COUNTER))),
        await ask(loader.load(single(COUNTER))),
      ],
      "a loaded one keeps its state": async () => {
        const worker = loader.load(single(COUNTER));
        return [await ask(worker), await ask(worker)];
      },
      "a known name needs no code": () =>
        ask(loader.get("counter", () => {
          throw new Error("this callback must not run");
        })),
      "empty name": async () => [await ask(counter("")), await ask(counter(""))],
      "code may come later": () =>
        ask(loader.get("later", async () => {
          await scheduler.wait(1);
          return single(COUNTER);
        })),
      "many at once start once": async () => {
        const answers = await Promise.all([1, 2, 3].map(() => ask(counter("crowd"))));
        return answers.sort();
      },
    };
  },

  "/modules": (loader) => {
    const bundle = (mainModule, modules) => ask(loader.load({ ...DATE, mainModule, modules }));
    return {
      "text": () =>
        bundle("main.js", {
          "main.js": `import text from "./a.txt"; ${answering("text")}`,
          "a.txt": { text: "h\u00e9 \u2603" },
        }),
      "json": () =>
        bundle("main.js", {
          "main.js": `import value from "./a.json"; ${answering("value")}`,
          "a.json": { json: { a: [1, null, "x"] } },
        }),
      "data": () =>
        bundle("main.js", {
          "main.js": `import bytes from "./a.bin";
            ${answering("[bytes instanceof ArrayBuffer, ...new Uint8Array(bytes)]")}`,
          "a.bin": { data: new Uint8Array([1, 2, 255]) },
        }),
      "data of a buffer": () =>
        bundle("main.js", {
          "main.js": `import bytes from "./a.bin"; ${answering("bytes.byteLength")}`,
          "a.bin": { data: new ArrayBuffer(5) },
        }),
      "js object": () =>
        bundle("main.js", {
          "main.js": { js: `import { a } from "./a.js"; ${answering("a")}` },
          "a.js": { js: "export const a = 7;" },
        }),
      "folders": () =>
        bundle("src/main.js", {
          "src/main.js": `import { a } from "./lib/a.js"; ${answering("a")}`,
          "src/lib/a.js": `import { b } from "../b.js"; export const a = "a" + b;`,
          "src/b.js": `import { c } from "../top.js"; export const b = "b" + c;`,
          "top.js": `export const c = "c";`,
        }),
      "cycle": () =>
        bundle("main.js", {
          "main.js": `import { a } from "./a.js"; export const two = () => 2; ${answering("a()")}`,
          "a.js": `import { two } from "./main.js"; export const a = () => two() + 1;`,
        }),
      "import later": () =>
        bundle("main.js", {
          "main.js": answering(`import("./a.js").then(({ a }) => a)`),
          "a.js": `export const a = "late";`,
        }),
      "any name": () =>
        bundle("main.js", {
          "main.js": `import a from "./no extension"; ${answering("a")}`,
          "no extension": { text: "found" },
        }),
      "top level await": () =>
        bundle("main.js", { "main.js": `const a = await Promise.resolve(3); ${answering("a")}` }),
      "named in the stack": () =>
        bundle("main.js", {
          "main.js": `import { where } from "./deep/where.js"; ${answering("where()")}`,
          "deep/where.js": `export const where = () =>
            /deep\\/where\\.js:2/.test(new Error("x").stack);`,
        }),
    };
  },

  "/mistakes": (loader) => {
    const thrown = (modules, mainModule = "main.js") =>
      outcome(() => void loader.load({ ...DATE, mainModule, modules }));
    return {
      "no modules": () => thrown({}),
      "jsx": () => thrown({ "main.tsx": "" }, "main.tsx"),
      "other extension": () => thrown({ "main.js": "", "a.mjs": "" }),
      "no kind": () => thrown({ "main.js": "", "a": {} }),
      "two kinds": () => thrown({ "main.js": "", "a": { text: "", json: 1 } }),
      "unknown kind": () => thrown({ "main.js": "", "a": { html: "" } }),
      "no callback": () => loader.get("x"),
      "get: mistakes come with requests": () =>
        ask(loader.get("mistaken", () => ({
          ...DATE,
          mainModule: "a.tsx",
          modules: { "a.tsx": "" },
        }))),
      "callback throws": () =>
        ask(loader.get("callback", () => {
          throw new TypeError("no code");
        })),
      "callback rejects": () =>
        ask(loader.get("rejection", async () => {
          throw new TypeError("no code");
        })),
      "no such entrypoint": async () =>
        await loader.load(single(ENTRYPOINTS)).getEntrypoint("Absent").fetch("http://x/"),
      "no fetch": async () =>
        await loader.load(single("export default {};")).getEntrypoint().fetch("http://x/"),
    };
  },

  "/sources": (loader) => {
    const start = async (modules) =>
      await outcome(() => ask(loader.load({ ...DATE, mainModule: "main.js", modules })));
    return {
      "syntax": () => start({ "main.js": "export default {" }),
      "syntax elsewhere": () =>
        start({ "main.js": `import "./a.js";${COUNTER}`, "a.js": "let let = 1;" }),
      "unknown import": () => start({ "main.js": `import "./absent.js"; ${COUNTER}` }),
      "above the root": () => start({ "main.js": `import "../above.js"; ${COUNTER}` }),
      "unknown export": () =>
        start({
          "main.js": `import { b } from "./a.js"; ${COUNTER}`,
          "a.js": "export const a = 1;",
        }),
      "internal modules": () => start({ "main.js": `import "ext:core/mod.js"; ${COUNTER}` }),
      "network": () => start({ "main.js": `import "https://example.com/a.js"; ${COUNTER}` }),
      "files": () => start({ "main.js": `import "file:///etc/passwd"; ${COUNTER}` }),
      "main is text": () => start({ "main.js": { text: "x" } }),
      "main is absent": () =>
        ask(loader.load({ ...DATE, mainModule: "b.js", modules: { "a.js": "" } })),
      "startup throws": () =>
        ask(loader.load(single(`throw new RangeError("at start"); ${COUNTER}`))),
      "startup throws in get": () =>
        ask(loader.get("thrower", () => single(`throw new RangeError("at start"); ${COUNTER}`))),
      "no default": async () =>
        await loader.load(single("export const a = {};")).getEntrypoint().fetch("http://x/"),
    };
  },

  "/retries": (loader) => ({
    "callback throws": () =>
      ask(loader.get("a", () => {
        throw new TypeError("no code yet");
      })),
    "then works": () => ask(loader.get("a", () => single(COUNTER))),
    "code is broken": () =>
      outcome(() => ask(loader.get("b", () => single("throw new RangeError('broken');")))),
    "then is not": () => ask(loader.get("b", () => single(COUNTER))),
  }),

  "/env": (loader) => {
    const withEnv = (env, expression) => ask(loader.load(single(answering(expression), { env })));
    return {
      "values": () => withEnv({ a: 1, b: "x", c: [null, { d: true }] }, "env"),
      "none": () => withEnv(undefined, "Object.keys(env)"),
      "map": () => withEnv({ map: new Map([["k", 1]]) }, "env.map.get('k')"),
      "date": () => withEnv({ date: new Date(0) }, "env.date.toISOString()"),
      "bytes": () => withEnv({ bytes: new Uint8Array([1, 2]) }, "[...env.bytes]"),
      "imported": () =>
        ask(loader.load(single(
          `import { env as imported } from "cloudflare:workers"; ${answering("imported.a")}`,
          { env: { a: "imported" } },
        ))),
      "a copy": async () => {
        const env = { list: [1] };
        const worker = loader.load(single(answering("env.list"), { env }));
        env.list.push(2);
        return await ask(worker);
      },
      "function": () => withEnv({ f: () => 1 }, "1"),
      "symbol": () => withEnv({ s: Symbol("s") }, "1"),
      "too large": async () =>
        (await outcome(() => withEnv({ text: "x".repeat((1 << 20) + 1) }, "1")))
          .replace(/\(\d+ bytes\)/, "(N bytes)"),
      "no loader inside": () => withEnv({}, "typeof env.LOADER"),
    };
  },

  "/entrypoints": (loader) => {
    const worker = loader.load(single(ENTRYPOINTS));
    return {
      "default": () => worker.getEntrypoint().hello("you"),
      "default by name": () => worker.getEntrypoint("default").hello("you"),
      "null is the default": () => worker.getEntrypoint(null).hello("you"),
      "named": () => worker.getEntrypoint("Named").hello("you"),
      "props": () => worker.getEntrypoint("Named", { props: { from: "here" } }).hello("you"),
      "no props": () => worker.getEntrypoint().props(),
      "named fetch": async () =>
        await (await worker.getEntrypoint("Named").fetch("http://x/")).text(),
      "plain object": async () =>
        await (await worker.getEntrypoint("plain").fetch("http://x/")).text(),
      "plain method": () => worker.getEntrypoint("plain").double(21),
      "missing method": () => worker.getEntrypoint().missing(),
    };
  },

  "/limits": (loader) => {
    const caught = (expression) =>
      ask(loader.load(single(answering(`(async () => {
        try { return await (${expression}); } catch (e) { return e.name + ": " + e.message; }
      })()`))));
    return {
      "fetch": () => caught("fetch('http://example.com/')"),
      "eval": () => caught("eval('1 + 1')"),
      "new Function": () => caught("new Function('return 1')()"),
      "generator function": () =>
        caught("new (Object.getPrototypeOf(function* () {}).constructor)('yield 1')"),
      "timer with text": () => caught("setTimeout('1 + 1', 0)").then((text) => typeof text),
      "Deno": () => caught("typeof Deno"),
      "bootstrap": () => caught("typeof __bootstrap"),
      "process": () => caught("typeof require"),
      "import of internals": () => caught("import('ext:core/mod.js')").then((text) => typeof text),
      "globals are its own": async () => {
        await caught("globalThis.leak = 1");
        return [await caught("typeof leak"), typeof globalThis.leak];
      },
      "prototypes are its own": async () => {
        await caught("Array.prototype.leak = 1");
        return [await caught("typeof [].leak"), typeof [].leak];
      },
    };
  },
};

export default {
  async fetch(request, env) {
    const route = routes[new URL(request.url).pathname];
    if (route === undefined) return new Response("no such path", { status: 404 });
    const results = {};
    for (const [name, run] of Object.entries(route(env.LOADER))) {
      results[name] = await outcome(run);
    }
    return Response.json(results);
  },
};
