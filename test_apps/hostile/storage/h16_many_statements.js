// H16: more distinct statements than any cache keeps.
// expect: answers alive | 503 cpu_limit
// slow
export default ({ ctx }) => {
  for (let i = 0; i < 10_000; i++) ctx.storage.sql.exec(`SELECT ${i} AS n`).one();
  return "alive";
};
