// E16: a facet that is deleted leaves nothing for the next one of its name.
// expect: answers null
export default async ({ ctx, facet }) => {
  await (await facet(ctx, "a").fetch("http://f/keep")).text();
  ctx.facets.delete("a");
  return await (await facet(ctx, "a").fetch("http://f/kept")).text();
};
