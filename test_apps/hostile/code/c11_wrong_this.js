// C11: methods on objects that are none of theirs.
// expect: answers errors
export default () => {
  const wrong = [{}, null, undefined, 1, [], new Proxy({}, {}),
    Object.create(Response.prototype)];
  const methods = [];
  for (const Class of [Response, Request, Headers, URL, URLSearchParams, TextDecoder,
    WebSocket]) {
    for (const [name, { value, get }] of Object.entries(
      Object.getOwnPropertyDescriptors(Class.prototype),
    )) {
      if (name !== "constructor") methods.push(value, get);
    }
  }
  const names = new Set();
  for (const method of methods.filter((method) => typeof method === "function")) {
    for (const target of wrong) {
      try {
        const result = Reflect.apply(method, target, ["a", "b"]);
        if (result instanceof Promise) result.catch(() => {});
      } catch (error) {
        names.add(error.name);
      }
    }
  }
  return [...names].every((name) => /Error$/.test(name)) ? "errors" : [...names].join(" ");
};
