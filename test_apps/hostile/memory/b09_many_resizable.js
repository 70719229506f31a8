// B09: many small resizable buffers; each takes memory mappings of the process.
// expect: throws RangeError
export default () => {
  const all = [];
  for (;;) all.push(new ArrayBuffer(0, { maxByteLength: 4096 }));
};
