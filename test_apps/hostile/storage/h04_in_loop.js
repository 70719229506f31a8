// H04: many statements, none of them long.
// expect: 503 cpu_limit
export default ({ ctx }) => {
  for (;;) ctx.storage.sql.exec("SELECT 1").toArray();
};
