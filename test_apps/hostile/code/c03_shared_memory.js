// C03: memory that could be shared reaches nobody to share it with.
// expect: answers undefined refused
export default ({ ctx }) => {
  const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  for (const use of [structuredClone, (value) => ctx.storage.kv.put("a", value)]) {
    try {
      use(buffer);
      return "cloned";
    } catch {}
  }
  return `${typeof SharedArrayBuffer} refused`;
};
