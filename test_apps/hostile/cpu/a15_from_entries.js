// A15: Object.fromEntries() over an iterator without an end.
// expect: 503 cpu_limit
export default () => Object.fromEntries({ *[Symbol.iterator]() { for (;;) yield ["a", 1]; } });
