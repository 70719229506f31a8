// B10: a buffer grows by being transferred.
// expect: throws RangeError
export default () => new ArrayBuffer(8).transfer(2 ** 33);
