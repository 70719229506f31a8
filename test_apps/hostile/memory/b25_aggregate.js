// B25: an error of a million errors.
// expect: throws AggregateError | 503 cpu_limit | 503 memory_limit | throws Error
// slow
export default () => {
  throw new AggregateError(new Array(1e5).fill(new Error("x")), "many");
};
