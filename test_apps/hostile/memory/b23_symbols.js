// B23: symbols in the registry without an end.
// expect: 503 memory_limit | 503 cpu_limit
// slow
export default () => {
  const all = [];
  for (let i = 0;; i++) all.push(Symbol.for("symbol " + i));
};
