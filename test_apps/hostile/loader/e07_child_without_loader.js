// E07: a loaded worker cannot load others unless it was given a loader.
// expect: answers none
export default async ({ env, load }) => {
  const worker = load(env, `export default { fetch: (_, env) =>
    new Response(Object.keys(env).join() || "none") }`);
  return await (await worker.getEntrypoint().fetch("http://w/")).text();
};
