// H12: values that SQL has no type for.
// expect: answers alive
export default ({ ctx }) => {
  const { sql } = ctx.storage;
  for (const value of [NaN, -0, Infinity, 2n ** 100n, "\ud800", "a\0b", Symbol("x"), () => {}, {},
    [], new Date(NaN), new Proxy([], {}), new Uint8Array(0), undefined, true]) {
    try {
      sql.exec("SELECT ? AS a", value).toArray();
    } catch {}
  }
  return "alive";
};
