// B09: resizable buffers are filled with memory.
// expect: throws RangeError
export default () => {
  const all = [];
  for (;;) {
    const buffer = new ArrayBuffer(0, { maxByteLength: 1 << 24 });
    buffer.resize(1 << 24);
    all.push(buffer);
  }
};
