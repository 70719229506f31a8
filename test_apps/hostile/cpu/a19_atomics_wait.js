// A19: the thread cannot be put to sleep.
// expect: throws
export default () => Atomics.wait(new Int32Array(new ArrayBuffer(8)), 0, 0);
