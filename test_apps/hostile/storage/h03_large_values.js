// H03: values that are larger than a row may be.
// expect: answers refused
export default ({ ctx }) => {
  for (const call of [
    "zeroblob(2000000000)",
    "randomblob(1000000000)",
    "hex(zeroblob(4000000))",
    "printf('%.*c', 1000000000, 'x')",
    "replace(hex(zeroblob(100000)), '0', hex(zeroblob(1000)))",
  ]) {
    try {
      const rows = ctx.storage.sql.exec(`SELECT length(${call}) AS n`).toArray();
      if (rows[0].n > 4 << 20) return `${call} ${rows[0].n}`;
    } catch {}
  }
  return "refused";
};
