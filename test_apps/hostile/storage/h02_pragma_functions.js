// H02: pragmas as tables.
// expect: answers refused
export default ({ ctx }) => {
  for (const table of ["pragma_database_list", "pragma_compile_options", "pragma_module_list",
    "dbstat", "sqlite_dbpage", "bytecode('SELECT 1')", "sqlite_stmt"]) {
    try {
      ctx.storage.sql.exec(`SELECT * FROM ${table}`).toArray();
      return table;
    } catch {}
  }
  return "refused";
};
