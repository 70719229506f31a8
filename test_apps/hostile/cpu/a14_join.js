// A14: the same by join().
// expect: throws TypeError | throws RangeError | process | 503 cpu_limit
// slow
export default () => Array.prototype.join.call({ length: 2 ** 53 - 1 }, "").length;
