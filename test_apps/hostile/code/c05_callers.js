// C05: a callback does not learn who called it.
// expect: answers hidden
export default () => {
  let found = "hidden";
  const callback = {
    toString() {
      for (const name of ["caller", "arguments", "callee"]) {
        try {
          if (callback.toString[name]) found = name;
        } catch {}
      }
      return "b";
    },
  };
  new Headers([["a", callback]]);
  return found;
};
