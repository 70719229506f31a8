// C02: modules with a million types; V8 keeps the types of all modules for ever.
// expect: process | 503 cpu_limit
// slow
const leb = (n) => {
  const bytes = [];
  do {
    const low = n & 127;
    n >>>= 7;
    bytes.push(n ? low | 128 : low);
  } while (n);
  return bytes;
};

/** A module of types that no other round has: ten parameters are a number to the base of four. */
const types = (round, count) => {
  const size = leb(count).length + count * 13;
  const head = [0, 97, 115, 109, 1, 0, 0, 0, 1, ...leb(size), ...leb(count)];
  const module = new Uint8Array(head.length + count * 13);
  module.set(head);
  let at = head.length;
  for (let i = 0; i < count; i++) {
    module[at++] = 0x60;
    module[at++] = 10;
    for (let digit = 0, rest = round * count + i; digit < 10; digit++, rest = rest >> 2) {
      module[at++] = 0x7f - (rest & 3);
    }
    module[at++] = 0;
  }
  return module;
};

export default () => {
  for (let round = 0; round < 20; round++) WebAssembly.validate(types(round, 50_000));
  return "validated";
};
