// H14: alarms at times that do not exist.
// expect: answers alive
export default async ({ ctx }) => {
  for (const time of [NaN, Infinity, -Infinity, -1, 0, 8.64e15, 8.64e15 + 1, 2 ** 63, "x", {}]) {
    try {
      await ctx.storage.setAlarm(time);
    } catch {}
  }
  await ctx.storage.deleteAlarm();
  return "alive";
};
