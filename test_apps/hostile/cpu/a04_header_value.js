// A04: a loop in a header's toString().
// expect: 503 cpu_limit
export default () => new Headers([["a", { toString() { for (;;); } }]]);
