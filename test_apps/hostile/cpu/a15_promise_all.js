// A15: Promise.all() over an iterator without an end.
// expect: 503 cpu_limit | 503 memory_limit
// slow
export default () => Promise.all({ *[Symbol.iterator]() { for (;;) yield 1; } });
