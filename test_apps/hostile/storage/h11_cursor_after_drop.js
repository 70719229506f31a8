// H11: a cursor outlives its table, its turn and the database.
// expect: answers alive
export default async ({ ctx }) => {
  const { sql } = ctx.storage;
  sql.exec("CREATE TABLE t (a)");
  for (let i = 0; i < 100; i++) sql.exec("INSERT INTO t VALUES (?)", i);
  const cursor = sql.exec("SELECT a FROM t");
  cursor.next();
  try {
    sql.exec("DROP TABLE t");
  } catch {}
  await scheduler.wait(1);
  try {
    cursor.toArray();
  } catch {}
  await ctx.storage.deleteAll();
  try {
    cursor.toArray();
  } catch {}
  return "alive";
};
