// H05: more parameters than a statement may have.
// expect: throws
export default ({ ctx }) =>
  ctx.storage.sql.exec("SELECT " + "?,".repeat(32_000) + "1", ...new Array(32_000).fill(1));
