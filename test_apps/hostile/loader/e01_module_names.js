// E01: module names that mean something elsewhere.
// expect: answers harmless
export default async ({ env, outcome }) => {
  for (const name of ["", ".", "..", "../../etc/passwd", "/etc/passwd", "a//b",
    "a/".repeat(100_000),
    "a\0b", "a\\b", "x".repeat(10_000), "\u00e9", "e\u0301", "__proto__", "constructor",
    "ext:core/ops", "ext:beryl/main.js", "node:fs", "file:///etc/passwd", "http://a.example/a.js",
    "data:text/javascript,1", "blob:null/1", "cloudflare:workers", "internal:x", "checkin:x"]) {
    const result = await outcome(async () => {
      const modules = Object.fromEntries([
        ["main.js", `import x from ${JSON.stringify(name)}; export default { fetch: () =>
          new Response(String(x)) }`],
        [name, "export default 'own'"],
      ]);
      const worker = env.LOADER.load({ compatibilityDate: "2026-08-03", mainModule: "main.js",
        modules });
      return await (await worker.getEntrypoint().fetch("http://w/")).text();
    });
    if (!/^(?:own|\w*Error|undefined|\[object Object\])$/.test(result)) return `${name}
      ${result}`;
  }
  return "harmless";
};
