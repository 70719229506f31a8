// H07: names of the runtime's own tables, written and renamed in every way.
// expect: answers refused
export default ({ ctx }) => {
  const { sql, kv } = ctx.storage;
  kv.put("secret", 1);
  sql.exec("CREATE TABLE t (a)");
  for (const statement of [
    "SELECT * FROM _cf_KV", "SELECT * FROM \"_cf_KV\"", "SELECT * FROM [_CF_kv]",
      "DROP TABLE _cf_KV",
    "CREATE TABLE _cf_x (a)", "CREATE TABLE \"_CF_X\" (a)", "ALTER TABLE t RENAME TO _cf_y",
    "CREATE VIEW _cf_v AS SELECT 1", "CREATE TEMP TABLE x (a)", "CREATE INDEX _cf_i ON t (a)",
    "CREATE TRIGGER _cf_t AFTER INSERT ON t BEGIN SELECT 1; END",
    "CREATE TRIGGER z AFTER INSERT ON _cf_KV BEGIN SELECT 1; END",
  ]) {
    try {
      sql.exec(statement).toArray();
      return statement;
    } catch {}
  }
  return String(kv.get("secret") === 1 ? "refused" : "lost");
};
