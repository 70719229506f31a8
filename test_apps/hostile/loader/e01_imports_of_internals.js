// E01: imports of what is the runtime's own.
// expect: answers refused
export default async ({ env, load, outcome }) => {
  for (const name of ["ext:core/mod.js", "ext:core/ops", "ext:beryl/main.js",
    "ext:deno_web/00_infra.js",
    "checkin:x", "node:fs", "node:child_process", "file:///proc/self/environ", "beryl:x"]) {
    const worker = load(env, `import * as x from "${name}"; export default { fetch: () =>
      new Response(Object.keys(x).join()) }`);
    const result = await outcome(async () =>
      (await worker.getEntrypoint().fetch("http://w/")).text());
    if (!/Error$/.test(result)) return `${name} ${result}`;
  }
  return "refused";
};
