// A16: a number of many digits is read.
// expect: throws SyntaxError | 503 cpu_limit | process
// slow
export default () => String(BigInt("1".repeat(1e8)) % 10n);
