// A16: a number of ten million digits becomes text.
// expect: 503 cpu_limit | answers 10000001
// slow
export default () => (10n ** 10_000_000n).toString().length;
