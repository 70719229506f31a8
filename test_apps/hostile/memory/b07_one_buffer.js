// B07: one buffer of eight gigabytes.
// expect: throws RangeError
export default () => new ArrayBuffer(2 ** 33);
