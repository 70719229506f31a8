// E02: an env that is too large, loops or throws.
// expect: answers Error RangeError Error DataCloneError
export default async ({ env, load, outcome }) => {
  const source = "export default { fetch: () => new Response('ok') }";
  const cyclic = {};
  cyclic.self = cyclic;
  let deep = {};
  for (let i = 0; i < 100_000; i++) deep = { deep };
  const results = [];
  for (const given of [{ a: "x".repeat(2 << 20) }, deep, { get a() { throw new Error("x"); } },
    { a: Symbol("x") }]) {
    results.push(await outcome(() => load(env, source,
      { env: given }).getEntrypoint().fetch("http://w/")));
  }
  await outcome(() => load(env, source, { env: cyclic }).getEntrypoint().fetch("http://w/"));
  return results.join(" ");
};
