// A14: a real array that is long and empty.
// expect: process | 503 cpu_limit | throws
// slow
export default () => {
  const sparse = [];
  sparse.length = 2 ** 32 - 1;
  return sparse.reverse().length;
};
