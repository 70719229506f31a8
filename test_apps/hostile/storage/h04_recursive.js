// H04: a query without an end.
// expect: 503 cpu_limit
export default ({ ctx }) =>
  ctx.storage.sql.exec(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
  ).toArray();
