// E14: a call with more than a call may carry.
// expect: answers DataCloneError | answers Error | answers RangeError | 503 cpu_limit
// slow
export default ({ env, load, outcome }) => {
  const worker = load(env, `import { WorkerEntrypoint } from "cloudflare:workers";
    export default class extends WorkerEntrypoint { take(text) { return text.length; } }`);
  return outcome(() => worker.getEntrypoint().take("x".repeat(40 << 20)));
};
