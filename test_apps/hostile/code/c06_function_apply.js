// C06: call(), apply() and bind() are the app's now.
// expect: answers b text
export default async () => {
  const stolen = () => { throw new Error("stolen"); };
  Function.prototype.call = stolen;
  Function.prototype.apply = stolen;
  Function.prototype.bind = stolen;
  Reflect.apply = stolen;
  Reflect.construct = stolen;
  Object.defineProperty = stolen;
  const a = new Headers({ a: "b" }).get("a");
  return `${a} ${await new Response("text").text()}`;
};
