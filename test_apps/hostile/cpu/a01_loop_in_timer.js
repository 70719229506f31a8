// A01: an endless loop in the callback of a timer that the answer waits for.
// expect: 503 cpu_limit
export default () =>
  new Promise(() =>
    setTimeout(() => {
      for (;;);
    }, 1)
  );
