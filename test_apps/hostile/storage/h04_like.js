// H04: a pattern that backtracks.
// expect: throws | 503 cpu_limit
export default ({ ctx }) =>
  ctx.storage.sql.exec(
    "SELECT ? LIKE ?", "a".repeat(100_000), "%a".repeat(50) + "b",
  ).toArray();
