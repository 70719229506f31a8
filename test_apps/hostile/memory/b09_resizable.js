// B09: resizable buffers that reserve the whole address space.
// expect: throws RangeError
export default () => {
  const all = [];
  for (;;) all.push(new ArrayBuffer(0, { maxByteLength: 2 ** 40 }));
};
