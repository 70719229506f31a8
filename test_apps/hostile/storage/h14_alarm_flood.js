// H14: an alarm is set a hundred thousand times.
// expect: answers alive | 503 cpu_limit
// slow
export default async ({ ctx }) => {
  for (let i = 0; i < 100_000; i++) ctx.storage.setAlarm(Date.now() + 1e9 + i);
  await ctx.storage.deleteAlarm();
  return "alive";
};
