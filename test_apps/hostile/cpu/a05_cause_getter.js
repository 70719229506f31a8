// A05: the error that is thrown to the runtime loops in its cause.
// expect: 503 cpu_limit | throws Error
export default () => {
  throw Object.defineProperty(new Error("x"), "cause", { get() { for (;;); } });
};
