// A14: a template without an end.
// expect: throws RangeError | process | 503 cpu_limit
// slow
export default () => String.raw({ raw: { length: 2 ** 53 - 1 } }).length;
