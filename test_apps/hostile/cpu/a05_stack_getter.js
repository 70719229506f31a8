// A05: the error that is thrown to the runtime loops in its stack.
// expect: 503 cpu_limit | throws E
export default () => {
  class E extends Error {
    get stack() {
      for (;;);
    }
  }
  throw new E("x");
};
