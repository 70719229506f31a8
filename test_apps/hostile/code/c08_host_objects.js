// C08: objects that claim to be the engine's own cannot be cloned into it.
// expect: answers alive
export default ({ ctx }) => {
  const mark = Symbol.for("Deno.core.hostObject");
  const fakes = [
    { [mark]: () => ({}) },
    { [mark]: () => ({ type: "URL" }) },
    { [mark]: () => { throw new Error("x"); } },
    { [mark]: 1 },
  ];
  for (const fake of fakes) {
    for (const use of [structuredClone, (value) => ctx.storage.kv.put("a", value)]) {
      try {
        use(fake);
      } catch {}
    }
  }
  return "alive";
};
