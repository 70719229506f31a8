// A11: JSON of ten million open brackets.
// expect: throws SyntaxError | throws RangeError | 503 cpu_limit | 503 memory_limit
// slow
export default () => JSON.parse("[".repeat(1e7));
