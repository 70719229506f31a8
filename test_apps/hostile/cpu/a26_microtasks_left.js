// A26: microtasks wait behind the loop; the next request must not meet them.
// expect: 503 cpu_limit
export default () => {
  for (let i = 0; i < 10; i++) Promise.resolve().then(() => { for (;;); });
  for (;;);
};
