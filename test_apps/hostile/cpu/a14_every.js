// A14: a generic method with a built-in as callback, so that no JavaScript runs.
// expect: process | 503 cpu_limit
// slow
export default () => Array.prototype.find.call({ length: 2 ** 53 - 1 }, Boolean);
