// E17: a facet loops while its supervisor waits for it.
// expect: 503 cpu_limit | throws
export default async ({ ctx, facet }) => {
  await facet(ctx, "a").fetch("http://f/loop");
  return "over";
};
