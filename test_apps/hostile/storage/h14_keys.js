// H14: keys that are too long or mean something elsewhere.
// expect: answers alive
export default ({ ctx }) => {
  const { kv } = ctx.storage;
  for (const key of ["__proto__", "constructor", "a\0b", "\ud800", "x".repeat(10 << 20), ""]) {
    try {
      kv.put(key, key.length);
      if (kv.get(key) !== key.length) return `wrong ${key}`;
    } catch {}
  }
  return "alive";
};
