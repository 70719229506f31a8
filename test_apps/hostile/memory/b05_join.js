// B05: ten million texts are joined.
// expect: answers 80000000 | 503 cpu_limit | 503 memory_limit | throws RangeError | process
// slow
export default () => new Array(1e7).fill("abcdefgh").join("").length;
