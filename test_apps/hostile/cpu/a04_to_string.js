// A04: a loop in toString() while the runtime converts an argument.
// expect: 503 cpu_limit
export default () => new URL({ toString() { for (;;); } });
