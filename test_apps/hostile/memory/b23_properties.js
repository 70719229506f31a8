// B23: an object with ever more properties.
// expect: 503 memory_limit | 503 cpu_limit
// slow
export default () => {
  const wide = {};
  for (let i = 0;; i++) wide["k" + i] = i;
};
