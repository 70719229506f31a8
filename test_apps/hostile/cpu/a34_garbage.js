// A34: garbage faster than anybody needs it.
// expect: 503 cpu_limit
// slow
export default () => {
  let kept = [];
  for (let i = 0;; i++) {
    kept.push({ i, text: "x" + i });
    if (kept.length > 10_000) kept = [];
  }
};
