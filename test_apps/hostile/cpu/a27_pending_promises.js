// A27: promises pile up.
// expect: 503 memory_limit | 503 cpu_limit
// slow
export default () => {
  const all = [];
  for (;;) all.push(new Promise(() => {}));
};
