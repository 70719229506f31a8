// E09: a path of a hundred thousand names on an unsettled promise.
// expect: throws | 503 cpu_limit | 503 memory_limit
// slow
export default async ({ ctx, facet }) => {
  let path = facet(ctx, "a").nothing();
  for (let i = 0; i < 100_000; i++) path = path.a;
  return await path;
};
