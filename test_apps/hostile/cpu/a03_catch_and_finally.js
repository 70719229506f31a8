// A03: the end cannot be caught, and finally does not run.
// expect: 503 cpu_limit
export default () => {
  try {
    for (;;);
  } catch {
    for (;;);
  } finally {
    for (;;);
  }
};
