// C10: no stack, text of a function or error names a path of the machine.
// expect: answers none
export default async ({ ctx }) => {
  const texts = [new Error("x").stack, fetch.toString(), String(ctx.storage.kv.get)];
  for (const bad of [() => new URL("\0"), () => ctx.storage.sql.exec("nonsense"), () => null.a]) {
    try {
      await bad();
    } catch (error) {
      texts.push(error.stack, String(error.cause));
    }
  }
  const found = texts.join("\n").match(/(?:\/home|\/root|\/work|\/tmp|\/usr|\.cargo|\.rs:)\S*/);
  return found === null ? "none" : found[0];
};
