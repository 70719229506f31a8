// A14: a collection filled by a built-in iterator with the same value for ever.
// expect: process | 503 cpu_limit
// slow
export default () => new Set(Array.prototype.values.call({ length: 2 ** 53 - 1 })).size;
