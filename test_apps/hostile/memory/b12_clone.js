// B12: a clone that is far larger than what it is a clone of.
// expect: throws DataCloneError | 503 memory_limit | 503 cpu_limit | process
// slow
export default () => structuredClone(new Array(4096).fill("x".repeat(1 << 20))).length;
