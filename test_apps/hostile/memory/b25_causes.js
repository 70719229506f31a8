// B25: an error with a hundred thousand causes.
// expect: throws Error | 503 cpu_limit
// slow
export default () => {
  let error = new Error("x");
  for (let i = 0; i < 100_000; i++) error = new Error("x", { cause: error });
  throw error;
};
