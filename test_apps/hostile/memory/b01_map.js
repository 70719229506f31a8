// B01: a map without an end.
// expect: 503 memory_limit | throws RangeError | 503 cpu_limit
// slow
export default () => {
  const map = new Map();
  for (let i = 0;; i++) map.set(i, { i });
};
