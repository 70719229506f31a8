// B10: resizable buffers by the constructor property of a typed array's buffer.
// expect: throws RangeError
export default () => {
  const Hidden = new Uint8Array(1).buffer.constructor;
  const all = [];
  for (;;) all.push(new Hidden(0, { maxByteLength: 2 ** 36 }));
};
