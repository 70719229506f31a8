// B25: a stack trace without a limit.
// expect: throws RangeError | 503 cpu_limit
export default () => {
  Error.stackTraceLimit = 1e9;
  const deeper = () => deeper();
  deeper();
};
