// A18: a comparison that loops.
// expect: 503 cpu_limit
export default () => [3, 2, 1].sort(() => { for (;;); });
