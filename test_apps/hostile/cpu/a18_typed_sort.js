// A18: a large typed array is sorted; that is not interrupted, but bounded by the buffer limit.
// expect: 503 cpu_limit | answers sorted
// slow
export default () => {
  const numbers = new Float64Array(15_000_000);
  for (let i = 0; i < numbers.length; i++) numbers[i] = -i;
  numbers.sort();
  return "sorted";
};
