// Answers through a dynamic worker that no request loaded before: `/?id=N` loads module N.

/** About 5 KB of source that differs for every id. */
function source(id) {
  const functions = [];
  for (let i = 0; i < 50; i++) {
    functions.push(
      `export function step${i}(value) {\n  return (value * ${i + 3} + ${id}) % 65521;\n}\n`,
    );
  }
  return `${functions.join("")}
export default {
  fetch(request) {
    let value = ${id};
    ${Array.from({ length: 50 }, (_, i) => `value = step${i}(value);`).join("\n    ")}
    return new Response("worker ${id}\\n");
  },
};
`;
}

export default {
  async fetch(request, env) {
    const id = new URL(request.url).searchParams.get("id") ?? "0";
    if (id === "none") {
      return new Response("nothing loaded\n");
    }
    const worker = env.LOADER.get(`cold-${id}`, () => ({
      compatibilityDate: "2026-04-01",
      mainModule: "worker.js",
      modules: { "worker.js": source(id) },
      globalOutbound: null,
    }));
    return await worker.getEntrypoint().fetch(request);
  },
};
