// C04: the engine's own objects are not to be found.
// expect: answers none
export default () => {
  const names = ["Deno", "__bootstrap", "__dispatch", "__start", "__report", "__commonJs", "ops"];
  const found = names.filter((name) => name in globalThis);
  return found.length === 0 ? "none" : found.join(" ");
};
