// H05: triggers that set off each other.
// expect: throws | 503 cpu_limit
export default ({ ctx }) => {
  const { sql } = ctx.storage;
  sql.exec("CREATE TABLE t (a); CREATE TABLE u (a)");
  sql.exec("CREATE TRIGGER x AFTER INSERT ON t BEGIN INSERT INTO u VALUES (1); END");
  sql.exec("CREATE TRIGGER y AFTER INSERT ON u BEGIN INSERT INTO t VALUES (1); END");
  sql.exec("INSERT INTO t VALUES (1)");
  const n = sql.exec("SELECT count(*) AS n FROM t").one().n;
  if (n < 100) throw new Error("recursion is off");
};
