// B22: lines of log without an end.
// expect: 503 cpu_limit
// slow
export default () => {
  for (;;) console.log("flood");
};
