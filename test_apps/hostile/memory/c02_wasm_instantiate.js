// C02: the same by a promise.
// expect: throws RangeError
const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 5, 3, 1, 0, 1]);
const module = new WebAssembly.Module(bytes);

export default () => {
  const all = [];
  for (let i = 0; i < 100; i++) all.push(WebAssembly.instantiate(module));
  return Promise.all(all);
};
