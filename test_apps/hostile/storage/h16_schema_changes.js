// H16: the schema changes between the steps of a cursor.
// expect: answers alive
export default ({ ctx }) => {
  const { sql } = ctx.storage;
  sql.exec("CREATE TABLE t (a)");
  for (let i = 0; i < 10; i++) sql.exec("INSERT INTO t VALUES (?)", i);
  const cursor = sql.exec("SELECT * FROM t");
  for (let i = 0; i < 5; i++) {
    cursor.next();
    try {
      sql.exec(`ALTER TABLE t ADD COLUMN b${i}`);
    } catch {}
  }
  return "alive";
};
