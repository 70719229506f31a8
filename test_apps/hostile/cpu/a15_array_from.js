// A15: an array made of an array-like of the greatest length.
// expect: 503 cpu_limit | 503 memory_limit | throws | process
export default () => Array.from({ length: 2 ** 32 - 1 }).length;
