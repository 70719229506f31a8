// D10: disposal that throws, many times.
// expect: throws
export default () => {
  using _a = { [Symbol.dispose]() { throw new Error("a"); } };
  using _b = { [Symbol.dispose]() { throw new Error("b"); } };
  return "done";
};
