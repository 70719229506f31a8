// A05: the error that is thrown to the runtime loops in its name.
// expect: 503 cpu_limit
export default () => {
  throw Object.defineProperty(new Error("x"), "name", { get() { for (;;); } });
};
