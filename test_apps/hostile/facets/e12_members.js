// E12: members that are no methods of a class cannot be called.
// expect: answers refused
export default async ({ ctx, facet }) => {
  const stub = facet(ctx, "a");
  for (const name of ["ctx", "env", "#private", "facets", "storage", "__defineGetter__x"]) {
    try {
      await stub[name]("x");
      return name;
    } catch {}
  }
  return "refused";
};
