// B07: buffers that the runtime makes are counted as well.
// expect: throws | 503 memory_limit | 503 cpu_limit
// slow
export default () => {
  const all = [];
  const text = "x".repeat(1 << 20);
  for (;;) all.push(new TextEncoder().encode(text));
};
