// A18: an array is sorted again and again.
// expect: 503 cpu_limit
// slow
export default () => {
  const numbers = new Array(1e5).fill(0).map(Math.random);
  for (;;) numbers.sort();
};
