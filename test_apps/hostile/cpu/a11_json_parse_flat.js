// A11: JSON of a long array; it is not interrupted, but bounded by the memory limit.
// expect: 503 cpu_limit | 503 memory_limit | process
// slow
export default () => JSON.parse("[" + "1,".repeat(5e7) + "1]").length;
