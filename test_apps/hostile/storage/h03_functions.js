// H03: functions that reach the machine.
// expect: answers refused
export default ({ ctx }) => {
  for (const call of ["load_extension('x')", "fts3_tokenizer('simple')", "edit('x')",
    "readfile('/etc/passwd')", "writefile('/tmp/x', 'y')", "sqlite_version()", "zipfile('x')"]) {
    try {
      ctx.storage.sql.exec(`SELECT ${call}`).toArray();
      return call;
    } catch {}
  }
  return "refused";
};
