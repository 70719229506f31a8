// H04: a sort of more than fits into memory.
// expect: 503 cpu_limit | throws | 503 memory_limit
// slow
export default ({ ctx }) =>
  ctx.storage.sql.exec(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1e9) " +
      "SELECT hex(randomblob(100)) AS h FROM n ORDER BY h LIMIT 1",
  ).toArray();
