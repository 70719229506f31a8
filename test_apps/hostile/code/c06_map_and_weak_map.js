// C06: collections are the app's now.
// expect: answers fired
export default async () => {
  const stolen = () => { throw new Error("stolen"); };
  for (const Class of [Map, WeakMap, Set, WeakSet]) {
    for (const name of ["get", "set", "has", "add", "delete", "forEach"]) {
      if (name in Class.prototype) Class.prototype[name] = stolen;
    }
  }
  await scheduler.wait(1);
  return new Promise((resolve) => setTimeout(() => resolve("fired"), 1));
};
