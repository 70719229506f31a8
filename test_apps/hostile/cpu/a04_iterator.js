// A04: an iterator without an end is handed to the runtime.
// expect: 503 cpu_limit | 503 memory_limit
// slow
export default () => new URLSearchParams({ *[Symbol.iterator]() { for (;;) yield ["a", "b"]; } });
