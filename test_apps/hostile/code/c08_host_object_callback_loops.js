// C08: the same with a callback that loops.
// expect: 503 cpu_limit | answers alive
export default () => {
  try {
    structuredClone({ [Symbol.for("Deno.core.hostObject")]: () => { for (;;); } });
  } catch {}
  return "alive";
};
