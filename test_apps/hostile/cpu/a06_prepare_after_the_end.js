// A06: Error.prepareStackTrace waits for the error of the end.
// expect: 503 cpu_limit
export default () => {
  Error.prepareStackTrace = () => { for (;;); };
  try {
    for (;;);
  } finally {
    throw new Error("x");
  }
};
