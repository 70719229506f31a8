// C02: one memory of WebAssembly of four gigabytes.
// expect: throws RangeError
export default () => {
  const memory = new WebAssembly.Memory({ initial: 65_536 });
  new Uint8Array(memory.buffer).fill(1);
  return "filled";
};
