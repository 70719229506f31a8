// B08: refused buffers, caught and asked for again.
// expect: 503 memory_limit | 503 cpu_limit
// slow
export default () => {
  for (;;) {
    try {
      new ArrayBuffer(2 ** 33);
    } catch {}
  }
};
