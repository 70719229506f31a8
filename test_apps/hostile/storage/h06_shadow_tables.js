// H06: the tables behind a full-text index.
// expect: answers refused
export default ({ ctx }) => {
  const { sql } = ctx.storage;
  sql.exec("CREATE VIRTUAL TABLE f USING fts5(a)");
  for (const statement of [
    "DELETE FROM f_data", "UPDATE f_data SET block = x'00'", "INSERT INTO f_idx VALUES (1, 2, 3)",
    "DROP TABLE f_content",
  ]) {
    try {
      sql.exec(statement);
      return statement;
    } catch {}
  }
  return "refused";
};
