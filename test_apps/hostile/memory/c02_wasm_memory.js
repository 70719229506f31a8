// C02: memories of WebAssembly without an end.
// expect: throws RangeError
export default () => {
  const all = [];
  for (;;) all.push(new WebAssembly.Memory({ initial: 1, maximum: 65_536 }));
};
