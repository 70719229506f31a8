// A06: Error.prepareStackTrace loops when an error is thrown.
// expect: 503 cpu_limit | throws Error
export default () => {
  Error.prepareStackTrace = () => { for (;;); };
  throw new Error("x");
};
