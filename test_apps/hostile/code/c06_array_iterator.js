// C06: arrays iterate as the app wants; the runtime goes on as it wants.
// expect: answers 1 b 2
export default async ({ ctx }) => {
  const { sql, kv } = ctx.storage;
  Array.prototype[Symbol.iterator] = function* () { yield ["stolen", "stolen"]; };
  Array.prototype.push = () => { throw new Error("push"); };
  Array.prototype.map = () => { throw new Error("map"); };
  Array.prototype.join = () => { throw new Error("join"); };
  kv.put("a", { b: 1 });
  const headers = new Headers({ a: "b" });
  const row = sql.exec("SELECT 2 AS n").one();
  return `${kv.get("a").b} ${headers.get("a")} ${row.n}`;
};
