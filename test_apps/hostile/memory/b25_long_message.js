// B25: an error whose message has a hundred megabytes.
// expect: throws Error | 503 cpu_limit | 503 memory_limit
// slow
export default () => {
  throw new Error("x".repeat(100 << 20));
};
