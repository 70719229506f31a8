// A08: a regular expression that backtracks for ever.
// expect: 503 cpu_limit
export default () => /^(a+)+$/.test("a".repeat(40) + "!");
