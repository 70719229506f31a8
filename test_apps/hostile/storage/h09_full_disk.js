// H09: more is written than the database may have.
// expect: 507 storage_full | throws
// slow
export default async ({ ctx }) => {
  const { sql } = ctx.storage;
  sql.exec("CREATE TABLE t (a)");
  for (;;) {
    for (let i = 0; i < 8; i++) sql.exec("INSERT INTO t VALUES (zeroblob(1000000))");
    await scheduler.wait(1);
  }
};
