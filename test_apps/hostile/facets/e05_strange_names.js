// E05: names that mean something elsewhere are only names.
// expect: answers alive
export default async ({ ctx, facet }) => {
  const names = ["__proto__", "constructor", "toString", "../../etc", "a/b", "\u00e9", "e\u0301",
    "A", "a", " ", "\n", "%00", ".sqlite", "con"];
  const seen = new Set();
  for (const name of names) seen.add(await (await facet(ctx,
    name).fetch("http://f/mark")).text());
  return seen.size === names.length ? "alive" : `${seen.size} of ${names.length}`;
};
