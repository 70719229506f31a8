// E12: what a call returns is a thenable, a proxy, a function and a class instance.
// expect: answers alive
export default async ({ env, load, outcome }) => {
  const worker = load(env, `import { WorkerEntrypoint } from "cloudflare:workers";
    class Own { #a = 1; }
    export default class extends WorkerEntrypoint {
      thenable() { return { then(resolve) { resolve(this); } }; }
      endless() { return { then() {} }; }
      proxy() { return new Proxy({}, { get() { for (;;); } }); }
      own() { return new Own(); }
      function() { return () => "called"; } }`);
  const stub = worker.getEntrypoint();
  for (const name of ["own", "function", "thenable"]) await outcome(() => stub[name]());
  return "alive";
};
