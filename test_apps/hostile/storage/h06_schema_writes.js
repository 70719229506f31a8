// H06: tables that are SQLite's own.
// expect: answers refused
export default ({ ctx }) => {
  const { sql } = ctx.storage;
  sql.exec("CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT)");
  for (const statement of [
    "INSERT INTO sqlite_schema VALUES ('table', 'x', 'x', 0, 'y')",
    "UPDATE sqlite_master SET sql = 'x'",
    "DELETE FROM sqlite_schema",
    "CREATE TABLE sqlite_x (a)",
  ]) {
    try {
      sql.exec(statement);
      return statement;
    } catch {}
  }
  return "refused";
};
