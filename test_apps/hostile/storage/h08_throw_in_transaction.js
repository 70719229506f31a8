// H08: what is thrown in a transaction takes its writes back.
// expect: answers 0
export default ({ ctx }) => {
  const { sql } = ctx.storage;
  sql.exec("CREATE TABLE t (a)");
  try {
    ctx.storage.transactionSync(() => {
      sql.exec("INSERT INTO t VALUES (1)");
      throw new Error("x");
    });
  } catch {}
  return String(sql.exec("SELECT count(*) AS n FROM t").one().n);
};
