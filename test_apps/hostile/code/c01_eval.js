// C01: code from strings, in every way there is.
// expect: answers EvalError EvalError EvalError EvalError EvalError
export default () => {
  const AsyncFunction = (async () => {}).constructor;
  const GeneratorFunction = (function* () {}).constructor;
  const ways = [
    () => eval("1"),
    () => (0, eval)("1"),
    () => new Function("return 1")(),
    () => new AsyncFunction("return 1")(),
    () => new GeneratorFunction("yield 1")(),
  ];
  return ways.map((way) => {
    try {
      return way();
    } catch (error) {
      return error.name;
    }
  }).join(" ");
};
