// C02: instances of a module with a memory of its own, without an end.
// expect: throws RangeError
const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 5, 3, 1, 0, 1]);
const module = new WebAssembly.Module(bytes);

export default () => {
  const all = [];
  for (;;) all.push(new WebAssembly.Instance(module));
};
