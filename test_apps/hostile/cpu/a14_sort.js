// A14: the same by sort().
// expect: throws | process | 503 cpu_limit
// slow
export default () => Array.prototype.sort.call({ length: 2 ** 53 - 1 }).length;
