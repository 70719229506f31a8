// E14: a loaded worker throws an error with a message of fifty megabytes.
// expect: answers Error | answers RangeError
// slow
export default ({ env, load, outcome }) => {
  const worker = load(env,
    "export default { fetch() { throw new Error('x'.repeat(50 << 20)); } }");
  return outcome(() => worker.getEntrypoint().fetch("http://w/"));
};
