// A15: a collection made of an iterator without an end.
// expect: 503 cpu_limit
export default () => new Set({ *[Symbol.iterator]() { for (;;) yield 1; } });
