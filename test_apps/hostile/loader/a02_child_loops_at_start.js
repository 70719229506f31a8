// A02: a loaded worker loops while it starts.
// expect: answers Error
export default ({ env, load, outcome }) => {
  const worker = load(env, "for (;;); export default { fetch() {} }");
  return outcome(() => worker.getEntrypoint().fetch("http://w/"));
};
