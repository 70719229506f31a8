// H04: a query that gives rows without an end.
// expect: 503 memory_limit | 503 cpu_limit
export default ({ ctx }) =>
  ctx.storage.sql.exec(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
  ).toArray();
