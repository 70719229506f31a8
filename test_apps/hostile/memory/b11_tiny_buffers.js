// B11: a million tiny buffers.
// expect: 503 memory_limit | 503 cpu_limit | throws RangeError
// slow
export default () => {
  const all = [];
  for (;;) all.push(new Uint8Array(8).buffer);
};
