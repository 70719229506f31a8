// B02: the same with objects.
// expect: 503 memory_limit | throws RangeError | process
// slow
export default () => new Array(6e7).fill({}).length;
