// B18: signals that follow each other without an end.
// expect: 503 cpu_limit | 503 memory_limit | throws
// slow
export default () => {
  let { signal } = new AbortController();
  for (;;) signal = AbortSignal.any([signal, new AbortController().signal]);
};
