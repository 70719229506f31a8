// E07: workers load workers that load workers.
// expect: answers TypeError | answers Error | answers DataCloneError
export default ({ env, load, outcome }) => {
  const source = "export default { fetch: (_, env) => new Response(typeof env.LOADER) }";
  return outcome(() => load(env, source, { env: { LOADER: env.LOADER } }).getEntrypoint()
    .fetch("http://w/"));
};
