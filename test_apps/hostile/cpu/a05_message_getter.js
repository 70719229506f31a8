// A05: the error that is thrown to the runtime loops in its message.
// expect: 503 cpu_limit
export default () => {
  class E extends Error {
    get message() {
      for (;;);
    }
  }
  throw new E();
};
