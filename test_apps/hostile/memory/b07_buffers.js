// B07: buffers of a megabyte without an end.
// expect: throws RangeError
export default () => {
  const all = [];
  for (;;) all.push(new ArrayBuffer(1 << 20));
};
