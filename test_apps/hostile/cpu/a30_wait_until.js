// A30: ten thousand promises that never settle are waited for.
// expect: answers done
export default ({ ctx }) => {
  for (let i = 0; i < 1e4; i++) ctx.waitUntil(new Promise(() => {}));
  return "done";
};
