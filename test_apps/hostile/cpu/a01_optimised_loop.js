// A01: a loop that the optimising compiler has long compiled.
// expect: 503 cpu_limit
export default () => {
  let sum = 0;
  for (let i = 0;; i = (i + 1) | 0) sum = (sum + i * 3) | 0;
  return sum;
};
