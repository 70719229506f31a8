// E03: modules that wait for each other at the top level.
// expect: answers Error | answers TypeError
export default ({ env, outcome }) => {
  const worker = env.LOADER.load({
    compatibilityDate: "2026-08-03",
    mainModule: "a.js",
    modules: {
      "a.js": "await import('./b.js'); export default { fetch() {} }",
      "b.js": "await import('./a.js'); export default 1",
    },
  });
  return outcome(() => worker.getEntrypoint().fetch("http://w/"));
};
