// B02: one array that is larger than the limit.
// expect: 503 memory_limit | throws RangeError | process
// slow
export default () => new Array(1e8).fill(1.5).length;
