// E14: what is thrown to the caller is strange in every way.
// expect: throws
export default () => {
  throw new Proxy(Object.freeze(new Error("x")), {
    get: (target,
      key) => key === "message" ? { toString() { throw new Error("y"); } } : target[key],
  });
};
