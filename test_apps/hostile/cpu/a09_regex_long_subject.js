// A09: a search in quadratic time over a long text.
// expect: 503 cpu_limit
// slow
export default () => /1+2/.test("1".repeat(1e6));
