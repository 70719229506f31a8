// D05: an argument of a statement deletes the database.
// expect: answers alive
export default ({ ctx }) => {
  const { sql } = ctx.storage;
  sql.exec("CREATE TABLE t (a)");
  try {
    sql.exec("INSERT INTO t VALUES (?)", { toString() { sql.exec("DROP TABLE t"); } });
  } catch {}
  const cursor = sql.exec("SELECT 1 UNION SELECT 2");
  ctx.storage.deleteAll();
  try {
    cursor.toArray();
  } catch {}
  return "alive";
};
