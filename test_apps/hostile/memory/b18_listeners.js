// B18: listeners without an end.
// expect: 503 cpu_limit | 503 memory_limit
// slow
export default () => {
  const target = new EventTarget();
  for (;;) target.addEventListener("a", () => {});
};
