// Answers through a dynamic worker that no request loaded before: `/?id=N` loads module N, which
// keeps its name; `/?id=fresh` loads code that was never seen, `/?id=bundle` always the same 1 MB,
// both without a name.

/** Source that differs for every id, about 5 KB with 50 functions; some of them run. */
function source(id, count = 50) {
  const functions = [];
  for (let i = 0; i < count; i++) {
    functions.push(
      `export function step${i}(value) {\n  return (value * ${i + 3} + ${id}) % 65521;\n}\n`,
    );
  }
  const run = Math.min(count, 500);
  return `${functions.join("")}
export default {
  fetch(request) {
    let value = ${id};
    ${Array.from({ length: run }, (_, i) => `value = step${i}(value);`).join("\n    ")}
    return new Response("worker ${id}\\n");
  },
};
`;
}

const code = (text) => ({
  compatibilityDate: "2026-04-01",
  mainModule: "worker.js",
  modules: { "worker.js": text },
  globalOutbound: null,
});

let bundle;
let start = 0;
let fresh = 0;

function load(id, env) {
  if (id === "bundle") return env.LOADER.load(code(bundle ??= source(1, 13_000)));
  if (id !== "fresh") return env.LOADER.get(`cold-${id}`, () => code(source(id)));
  // Other threads have a counter of their own.
  start ||= Math.floor(Math.random() * 2 ** 40);
  return env.LOADER.load(code(source(start + fresh++)));
}

export default {
  async fetch(request, env) {
    const id = new URL(request.url).searchParams.get("id") ?? "0";
    if (id === "none") {
      return new Response("nothing loaded\n");
    }
    return await load(id, env).getEntrypoint().fetch(request);
  },
};
