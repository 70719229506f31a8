// A01: an endless loop in a handler.
// expect: 503 cpu_limit
export default () => {
  for (;;);
};
