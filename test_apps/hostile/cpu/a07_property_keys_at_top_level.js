// A07: the same while a module fails to start.
// expect: deploy cpu_limit | deploy startup
const error = new Error("x");
Object.defineProperty(error, Symbol.for("errorAdditionalPropertyKeys"), {
  get() { for (;;); },
});
throw error;
export default () => "never";
