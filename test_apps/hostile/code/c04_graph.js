// C04: no walk over everything that is reachable meets an op or a handle of the runtime.
// expect: answers clean
export default ({ ctx, env, request }) => {
  const seen = new Set();
  const queue = [globalThis, ctx, env, request];
  while (queue.length > 0) {
    const value = queue.pop();
    if (value === null || !["object", "function"].includes(typeof value) || seen.has(value)) {
      continue;
    }
    seen.add(value);
    for (const key of Reflect.ownKeys(value)) {
      if (typeof key === "string" && key.startsWith("op_")) return `found ${key}`;
      const { value: child, get, set } = Reflect.getOwnPropertyDescriptor(value, key) ?? {};
      queue.push(child, get, set);
    }
    queue.push(Reflect.getPrototypeOf(value));
  }
  return "clean";
};
