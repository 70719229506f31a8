// A20: a trap that loops.
// expect: 503 cpu_limit
export default () => new Proxy({}, { get() { for (;;); } }).x;
