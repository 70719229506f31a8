// B21: headers without an end.
// expect: throws | 503 memory_limit | 503 cpu_limit
// slow
export default () => {
  const headers = new Headers();
  for (let i = 0;; i++) headers.append(`x-${i}`, "y".repeat(1000));
};
