// A14: the same by copyWithin().
// expect: process | 503 cpu_limit
// slow
export default () => Array.prototype.copyWithin.call({ length: 2 ** 53 - 1 }, 0, 1);
