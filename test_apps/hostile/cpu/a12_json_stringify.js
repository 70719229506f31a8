// A12: toJSON() that loops.
// expect: 503 cpu_limit
export default () => JSON.stringify({ toJSON() { for (;;); } });
