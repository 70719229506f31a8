// H05: a statement of ten megabytes, one with ten thousand terms, one with depth.
// expect: answers refused
export default ({ ctx }) => {
  const { sql } = ctx.storage;
  for (const statement of [
    "SELECT " + "1,".repeat(5 << 20) + "1",
    "SELECT 1 " + "UNION SELECT 1 ".repeat(1000),
    "SELECT " + "(".repeat(10_000) + "1" + ")".repeat(10_000),
    "SELECT " + "-".repeat(10_001) + "1 AS n, " + "1 + ".repeat(10_000) + "1",
    "CREATE TABLE wide (" + Array.from({ length: 2000 }, (_, i) => `c${i}`).join() + ")",
  ]) {
    try {
      sql.exec(statement).toArray();
      return statement.slice(0, 40);
    } catch {}
  }
  return "refused";
};
