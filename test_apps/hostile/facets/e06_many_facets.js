// E06: two thousand facets are made and dropped.
// expect: answers alive | 503 cpu_limit | throws
// slow
export default async ({ ctx, facet }) => {
  for (let i = 0; i < 2000; i++) {
    const name = `f${i}`;
    await (await facet(ctx, name).fetch("http://f/mark")).text();
    ctx.facets.delete(name);
  }
  return "alive";
};
