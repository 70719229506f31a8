// B22: a line of log of ten megabytes.
// expect: answers done | 503 cpu_limit
export default () => {
  console.log("x".repeat(10 << 20));
  return "done";
};
