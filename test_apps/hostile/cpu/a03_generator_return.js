// A03: closing an iterator does not outlive the end.
// expect: 503 cpu_limit
export default () => {
  function* numbers() {
    try {
      for (;;) yield 1;
    } finally {
      for (;;);
    }
  }
  for (const _ of numbers()) for (;;);
};
