// C09: getters on Object.prototype while a value is read back.
// expect: answers 1
export default ({ ctx }) => {
  Object.defineProperty(Object.prototype, "type", {
    configurable: true,
    get() { throw new Error("read"); },
  });
  ctx.storage.kv.put("a", { b: [1, new Date(0), new Map([[1, 2]])] });
  const read = ctx.storage.kv.get("a").b[0];
  structuredClone({ a: new Uint8Array(4) });
  delete Object.prototype.type;
  return String(read);
};
