// A38: the end comes while SQL's arguments are converted.
// expect: 503 cpu_limit | throws
export default ({ ctx }) => ctx.storage.sql.exec({ toString() { for (;;); } });
