// A16: a power that no memory holds.
// expect: throws RangeError | 503 cpu_limit
export default () => String((2n ** (2n ** 30n - 1n)) % 10n);
