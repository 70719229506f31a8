// B10: resizable buffers by a subclass and by Reflect.construct().
// expect: throws RangeError
export default () => {
  class Mine extends ArrayBuffer {}
  const all = [];
  for (;;) {
    all.push(Reflect.construct(ArrayBuffer, [0, { maxByteLength: 2 ** 36 }], Mine));
    all.push(new Mine(0, { maxByteLength: 2 ** 36 }));
  }
};
