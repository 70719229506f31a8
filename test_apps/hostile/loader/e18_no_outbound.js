// E18: a loaded worker without a way out has none.
// expect: answers Error
export default ({ env, load, outcome }) => {
  const worker = load(env, `export default { fetch: () => fetch("http://127.0.0.1/") }`);
  return outcome(() => worker.getEntrypoint().fetch("http://w/"));
};
