// A07: the engine's list of additional error properties is a getter that loops.
// expect: 503 cpu_limit | throws Error
export default () => {
  const error = new Error("x");
  Object.defineProperty(error, Symbol.for("errorAdditionalPropertyKeys"), {
    get() { for (;;); },
  });
  throw error;
};
