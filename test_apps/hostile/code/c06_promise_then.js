// C06: every promise ends where the app wants; the runtime's own do not.
// expect: answers read
export default async () => {
  const { then } = Promise.prototype;
  let calls = 0;
  Promise.prototype.then = function (...args) {
    calls++;
    return Reflect.apply(then, this, args);
  };
  const text = await new Response("read").text();
  Promise.prototype.then = then;
  return calls < 5 ? text : `stolen ${calls}`;
};
