// H04: a join of everything with everything.
// expect: 503 cpu_limit
// slow
export default ({ ctx }) => {
  const { sql } = ctx.storage;
  sql.exec("CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n " +
    "WHERE i < 300) SELECT i FROM n");
  sql.exec("SELECT count(*) FROM t a, t b, t c, t d, t e ORDER BY random()").toArray();
};
