// H08: transactions by SQL, and unbalanced ones.
// expect: answers refused
export default ({ ctx }) => {
  for (const statement of ["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a", "RELEASE a", "END",
    "BEGIN IMMEDIATE", "ROLLBACK TO a"]) {
    try {
      ctx.storage.sql.exec(statement);
      return statement;
    } catch {}
  }
  return "refused";
};
