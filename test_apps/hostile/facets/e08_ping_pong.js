// E08: a facet and its supervisor call each other without an end.
// expect: throws | 503 cpu_limit | 503 overloaded
export default ({ ctx, facet, Target }) => {
  const stub = facet(ctx, "a");
  return stub.pong(new Target(stub));
};
