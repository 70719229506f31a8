// B06: slices of texts, joined over and over.
// expect: 503 memory_limit | 503 cpu_limit | throws RangeError | process
// slow
export default () => {
  let parts = ["x".repeat(1000)];
  for (;;) parts = parts.concat(parts.map((part, i) => part.slice(1) + i));
};
