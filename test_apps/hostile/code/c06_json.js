// C06: JSON, strings and regular expressions are the app's now.
// expect: answers {"a":1} b
export default async () => {
  const stolen = () => "stolen";
  JSON.stringify = stolen;
  JSON.parse = stolen;
  String.prototype.toLowerCase = stolen;
  String.prototype.split = stolen;
  RegExp.prototype.exec = stolen;
  RegExp.prototype[Symbol.replace] = stolen;
  const json = await Response.json({ a: 1 }).text();
  return `${json} ${new Headers({ A: "b" }).get("a")}`;
};
