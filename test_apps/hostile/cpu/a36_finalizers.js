// A36: finalizers without an end.
// expect: 503 cpu_limit | 503 memory_limit
// slow
export default () => {
  const registry = new FinalizationRegistry(() => {});
  for (;;) registry.register({}, 1);
};
