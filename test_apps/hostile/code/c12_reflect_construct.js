// C12: classes of the runtime, constructed in ways nobody thought of.
// expect: answers alive
export default () => {
  const targets = [Response, Request, Headers, URL, WebSocket, ReadableStream, Blob, EventTarget];
  for (const Class of targets) {
    for (const base of [null, Object, Class, function () {}, class extends null {}]) {
      for (const args of [[], [null], [{}], [Symbol()], ["http://a.example/"]]) {
        try {
          const made = Reflect.construct(Class, args, base ?? class {});
          String(made);
          made.text?.()?.catch?.(() => {});
        } catch {}
      }
    }
  }
  return "alive";
};
