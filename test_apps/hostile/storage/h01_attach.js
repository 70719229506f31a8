// H01: statements that reach other files.
// expect: answers refused
export default ({ ctx }) => {
  for (const statement of [
    "ATTACH '/etc/passwd' AS p", "ATTACH ':memory:' AS m", "DETACH main", "VACUUM",
    "VACUUM INTO '/tmp/stolen.db'", "ATTACH 'file:/tmp/x?mode=rwc' AS f",
  ]) {
    try {
      ctx.storage.sql.exec(statement);
      return statement;
    } catch {}
  }
  return "refused";
};
