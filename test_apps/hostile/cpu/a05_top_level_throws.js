// A05: the error of a module's top level loops in its message.
// expect: deploy cpu_limit | deploy startup
class E extends Error {
  get message() {
    for (;;);
  }
}
throw new E();
export default () => "never";
