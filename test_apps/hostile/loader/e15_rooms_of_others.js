// E15: names and ids of objects do not reach those of others.
// expect: answers alive
export default async ({ ctx, outcome }) => {
  const { Room } = ctx.exports;
  for (const id of ["0".repeat(64), "f".repeat(64), "../x", "", "x".repeat(64)]) {
    await outcome(() => Room.get(Room.idFromString(id)).mark());
  }
  return "alive";
};
