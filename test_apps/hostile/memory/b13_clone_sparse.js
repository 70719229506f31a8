// B13: a sparse array of the greatest length is cloned.
// expect: answers 4294967295 | throws | 503 cpu_limit
// slow
export default () => {
  const sparse = [];
  sparse[2 ** 32 - 2] = 1;
  return structuredClone(sparse).length;
};
