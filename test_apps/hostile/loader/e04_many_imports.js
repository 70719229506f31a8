// E04: a hundred thousand imports of what does not exist.
// expect: answers Error | answers done
// slow
export default ({ env, load, outcome }) => {
  const worker = load(env, `export default { async fetch() {
    for (let i = 0; i < 100_000; i++) await import("./m" + i + ".js").catch(() => {});
    return new Response("done"); } }`);
  return outcome(async () => (await worker.getEntrypoint().fetch("http://w/")).text());
};
