// C13: numbers that the runtime would take for handles reach nothing of others.
// expect: answers nothing
export default ({ ctx }) => {
  for (const id of [-1, 0, 1, 2, 2 ** 31, 2 ** 32 - 1, 2 ** 53, NaN, "1", {}]) {
    clearTimeout(id);
    clearInterval(id);
    try {
      ctx.facets.abort(String(id), new Error("x"));
    } catch {}
  }
  return "nothing";
};
