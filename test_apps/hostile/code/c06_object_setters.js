// C06: setters on Object.prototype see nothing of the runtime.
// expect: answers nothing
export default async ({ ctx }) => {
  const seen = [];
  const names = ["get", "set", "value", "type", "headers", "status", "body", "url", "method",
    "enumerable", "writable", "configurable", "then", "signal", "redirect", "limit", "prefix",
    "message", "name", "code", "actor", "event", "callback", "args"];
  for (const name of names) {
    Object.defineProperty(Object.prototype, name, {
      __proto__: null,
      configurable: true,
      set(value) {
        seen.push(name);
        const own = { __proto__: null, value, writable: true, configurable: true };
        Object.defineProperty(this, name, own);
      },
      get() { return undefined; },
    });
  }
  const headers = new Headers({ a: "b" });
  const request = new Request("http://a.example/", { headers });
  const response = new Response("text", { headers });
  await response.text();
  ctx.storage.kv.put("a", [1]);
  for (const _ of ctx.storage.kv.list()) break;
  ctx.storage.sql.exec("SELECT 1 AS one").toArray();
  new URL("http://a.example/?b").searchParams.get("b");
  await scheduler.wait(1);
  for (const name of names) delete Object.prototype[name];
  return seen.length === 0 ? "nothing" : `${seen.join(" ")} ${request.url}`;
};
