// Modules of loaded workers: CommonJS, WebAssembly, TypeScript, and what names mean. Each path
// answers with one JSON object of results.

const DATE = { compatibilityDate: "2026-04-01" };

const answering = (expression) => `export default { async fetch(request, env, ctx) {
  return Response.json(await (${expression}) ?? "undefined");
} };`;

/** (module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)) */
const WASM = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1, 3, 97, 100,
  100, 0, 0, 10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11,
]);
const BYTES = `new Uint8Array([${WASM.join()}])`;

async function outcome(run) {
  try {
    const value = await run();
    return value === undefined ? "undefined" : value;
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

const routes = {
  "/cjs": (bundle) => {
    const cjs = (expression, modules) =>
      bundle({ "main.js": `import c from "./a.cjs"; ${answering(expression)}`, ...modules });
    const a = (source, modules = {}) => cjs("c", { "a.cjs": { cjs: source }, ...modules });
    return {
      "module.exports": () => a("module.exports = { a: 1 };"),
      "exports": () => a("exports.a = 2;"),
      "a function": () => cjs("c()", { "a.cjs": { cjs: "module.exports = () => 3;" } }),
      "null": () => cjs("String(c)", { "a.cjs": { cjs: "module.exports = null" } }),
      "default is no special name": () => a("exports.__esModule = true; exports.default = 5;"),
      "only a default export": () =>
        bundle({
          "main.js": `import * as c from "./a.cjs"; ${answering("Object.keys(c)")}`,
          "a.cjs": { cjs: "exports.a = 2;" },
        }),
      "imported later": () =>
        bundle({
          "main.js": answering("import('./a.cjs').then((m) => [Object.keys(m), m.default])"),
          "a.cjs": { cjs: "exports.a = 1" },
        }),
      "require": () =>
        a("exports.b = require('./b.cjs').b;", { "b.cjs": { cjs: "exports.b = 'b'" } }),
      "require by bare name": () =>
        a("exports.b = require('b.cjs').b;", { "b.cjs": { cjs: "exports.b = 'b'" } }),
      "require later": () =>
        cjs("c()", {
          "a.cjs": { cjs: "module.exports = () => require('./b.cjs').b" },
          "b.cjs": { cjs: "exports.b = 'late'" },
        }),
      "require its default export": () =>
        a("exports.b = require('./b.js')()", { "b.js": "export default () => 7" }),
      "require text": () => a("exports.b = require('./b.txt')", { "b.txt": { text: "text" } }),
      "require JSON": () => a("exports.b = require('./b.json')", { "b.json": { json: [1] } }),
      "require data": () =>
        a("exports.b = require('./b.bin') instanceof ArrayBuffer", {
          "b.bin": { data: new Uint8Array(3) },
        }),
      "require WebAssembly": () =>
        a("exports.b = require('./b.wasm') instanceof WebAssembly.Module", {
          "b.wasm": { wasm: WASM },
        }),
      "cycle": () =>
        a("exports.early = 1; exports.b = require('./b.cjs').sees;", {
          "b.cjs": { cjs: "exports.sees = Object.keys(require('./a.cjs'))" },
        }),
      "runs once": () =>
        bundle({
          "main.js": `import a from "./a.cjs"; import b from "./b.cjs";
            ${answering("[a.n, b.n, a === b.same]")}`,
          "a.cjs": { cjs: "globalThis.n = (globalThis.n ?? 0) + 1; exports.n = globalThis.n" },
          "b.cjs": { cjs: "exports.same = require('./a.cjs'); exports.n = exports.same.n" },
        }),
      "sloppy": () => a("x = 1; module.exports = typeof globalThis.x"),
      "its names": () =>
        bundle({
          "main.js": `import c from "./dir/a.cjs"; ${answering("c")}`,
          "dir/a.cjs": {
            cjs: "module.exports = [__filename, __dirname, typeof this, Object.keys(module)]",
          },
        }),
      "import() inside": () =>
        cjs("c()", {
          "a.cjs": { cjs: "module.exports = () => import('./b.js').then((m) => m.b)" },
          "b.js": "export const b = 'imported'",
        }),
      "not found, caught": () =>
        a("try { require('nope') } catch (e) { exports.e = `${e.name}: ${e.message}` }"),
    };
  },

  "/wasm": (bundle) => {
    const wasm = (expression, content) =>
      bundle({
        "main.js": `import m from "./a.wasm"; ${answering(expression)}`,
        "a.wasm": { wasm: content },
      });
    const add = "new WebAssembly.Instance(m).exports.add(1, 2)";
    return {
      "bytes": () => wasm(`[m instanceof WebAssembly.Module, ${add}]`, WASM),
      "buffer": () => wasm(add, WASM.buffer),
      "instantiate": () =>
        wasm("WebAssembly.instantiate(m).then((i) => i.exports.add(1, 2))", WASM),
      "only a default export": () =>
        bundle({
          "main.js": `import * as m from "./a.wasm"; ${answering("Object.keys(m)")}`,
          "a.wasm": { wasm: WASM },
        }),
      "imported later": () =>
        bundle({
          "main.js": answering(`import("./a.wasm").then(({ default: m }) => ${add})`),
          "a.wasm": { wasm: WASM },
        }),
      "instance at start": () =>
        bundle({
          "main.js": `import m from "./a.wasm"; const three = ${add}; ${answering("three")}`,
          "a.wasm": { wasm: WASM },
        }),
      "compiled at start": () =>
        bundle({ "main.js": `const m = new WebAssembly.Module(${BYTES}); ${answering(add)}` }),
      "never compiled later": () =>
        bundle({
          "main.js": answering(`(async () => {
            const bytes = ${BYTES};
            const results = [WebAssembly.validate(bytes)];
            const ways = [
              () => WebAssembly.compile(bytes),
              () => new WebAssembly.Module(bytes),
              () => WebAssembly.instantiate(bytes),
            ];
            for (const way of ways) {
              try {
                results.push(await way());
              } catch (e) {
                results.push(e.name + ": " + e.message);
              }
            }
            return results;
          })()`),
        }),
    };
  },

  "/names": (bundle) => {
    const found = (name, specifier, mainModule = "main.js") =>
      bundle({
        [mainModule]: `import a from ${JSON.stringify(specifier)}; ${answering("a")}`,
        [name]: { js: "export default 9" },
      }, mainModule);
    return {
      "leading dot": () => bundle({ "./main.js": answering("1") }, "./main.js"),
      "up in a folder": () => found("a.js", "../a.js", "src/main.js"),
      "percent": () => found("a%20b.js", "./a%20b.js"),
      "space": () => found("a b.js", "./a b.js"),
      "question mark": () => found("a.js?x", "./a.js?x"),
      "hash": () => found("a.js#x", "./a.js#x"),
      "scope": () => found("@scope/pkg", "@scope/pkg"),
      "URL": () => found("https://example.com/a.js", "https://example.com/a.js"),
      "bare name beside": () => found("src/a.js", "a.js", "src/main.js"),
      "beside comes first": () =>
        bundle({
          "src/main.js": `import a from "a.js"; ${answering("a")}`,
          "src/a.js": "export default 'beside'",
          "a.js": "export default 'root'",
        }, "src/main.js"),
      "absolute": () => found("a.js", "/a.js", "src/main.js"),
    };
  },

  "/mistakes": (bundle) => ({
    "python beside JavaScript": () => bundle({ "main.js": "", "a.py": "" }),
    "python as object": () => bundle({ "main.js": "", "a": { py: "" } }),
    "json of nothing": () => bundle({ "main.js": "", "a": { json: undefined } }),
    "null": () => bundle({ "main.js": null }),
    "modules missing": () => bundle(undefined),
    "modules null": () => bundle(null),
    "jsx": () => bundle({ "main.jsx": "" }, "main.jsx"),
  }),

  "/differing": (bundle) => {
    const cjs = (source, modules) =>
      bundle({
        "main.js": `import c from "./a.cjs"; ${answering("c")}`,
        "a.cjs": { cjs: source },
        ...modules,
      });
    return {
      "python": () => bundle({ "main.py": "" }, "main.py"),
      "cjs as main": () => bundle({ "a.cjs": { cjs: "" } }, "a.cjs"),
      "cjs named import": () =>
        bundle({
          "main.js": `import { a } from "./a.cjs"; ${answering("a")}`,
          "a.cjs": { cjs: "exports.a = 1" },
        }),
      "cjs throws": () => cjs("throw new RangeError('in cjs')"),
      "cjs syntax": () => cjs("const"),
      "cjs requires nothing": () => cjs("require('nope')"),
      "cjs requires an ES module": () =>
        cjs("exports.b = require('./b.js').b", { "b.js": "export const b = 'b';" }),
      "bare name at the root": () =>
        bundle({
          "src/main.js": `import a from "a.js"; ${answering("a")}`,
          "a.js": "export default 9",
        }, "src/main.js"),
      "import.meta": () => bundle({ "main.js": answering("Object.keys(import.meta)") }),
      "cjs requires what awaits": () =>
        cjs("require('./b.js')", { "b.js": "export const b = await 1" }),
      "cjs requires the runtime": () =>
        cjs("exports.a = typeof require('cloudflare:workers').RpcTarget"),
      "wasm bad": () =>
        bundle({
          "main.js": `import m from "./a.wasm"; ${answering("1")}`,
          "a.wasm": { wasm: new Uint8Array([1, 2, 3]) },
        }),
      "wasm text": () => bundle({ "main.js": "", "a.wasm": { wasm: "text" } }),
      "json with type": () =>
        bundle({
          "main.js": `import a from "./a.json" with { type: "json" }; ${answering("a")}`,
          "a.json": { json: { x: 1 } },
        }),
      "above the root": () => bundle({ "main.js": "", "../a.js": "" }),
      "two names for one": () => bundle({ "main.js": "", "./main.js": "" }),
    };
  },

  "/typescript": (bundle) => ({
    "types": () =>
      bundle({
        "main.ts": `import { B, type C } from "./lib/b"; import { D } from "./d.js";
          interface Env { a: number }
          enum Color { Red, Green = "g" }
          class A<T> { constructor(private readonly a: T) {} get(): T { return this.a; } }
          export default {
            async fetch(request: Request, env: Env): Promise<Response> {
              const c: C = new B().c as unknown as C;
              return Response.json([new A<number>(1).get(), Color.Red, Color.Green, c, D]);
            },
          } satisfies ExportedHandler<Env>;`,
        "lib/b.ts": "export type C = string; export class B { c: C = 'c' }",
        "d.mts": "export const D: string = 'd';",
        "d.ts": "export const D: string = 'd.ts';",
      }, "main.ts"),
    "place of an exception": () =>
      bundle({
        "main.ts": `type A =\n  | 1;\nconst a: A = 1;\n      throw new RangeError("here");`,
      }, "main.ts").catch((e) => `${e.message} ${e.module}:${e.line}:${e.column}`),
    "syntax": () => bundle({ "main.ts": "const a: number = ;" }, "main.ts"),
    "not erasable": () =>
      bundle({ "main.ts": "namespace A { export const b = 1 }" }, "main.ts")
        .catch((e) => `${e.message} ${e.module}:${e.line}:${e.column}`),
  }),
};

export default {
  async fetch(request, env) {
    const route = routes[new URL(request.url).pathname];
    if (route === undefined) return new Response("no such path", { status: 404 });
    const bundle = async (modules, mainModule = "main.js") => {
      const worker = env.LOADER.load({ ...DATE, mainModule, modules });
      return await (await worker.getEntrypoint().fetch("http://x/")).json();
    };
    const results = {};
    for (const [name, run] of Object.entries(route(bundle))) results[name] = await outcome(run);
    return Response.json(results);
  },
};
