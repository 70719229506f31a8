// A04: a loop in valueOf() of a timer's delay.
// expect: 503 cpu_limit
export default () => setTimeout(() => {}, { valueOf() { for (;;); } });
