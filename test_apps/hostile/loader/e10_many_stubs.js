// E10: ten thousand objects are lent and never given back.
// expect: answers Error | answers 10000 | 503 cpu_limit
// slow
export default ({ env, load, outcome, RpcTarget }) => {
  const worker = load(env, `import { WorkerEntrypoint } from "cloudflare:workers";
    const kept = [];
    export default class extends WorkerEntrypoint {
      keep(target) { kept.push(target.dup()); return kept.length; } }`);
  return outcome(async () => {
    let count = 0;
    const stub = worker.getEntrypoint();
    for (let i = 0; i < 10_000; i++) count = await stub.keep(new RpcTarget());
    return count;
  });
};
