// E05: names that are empty or too long.
// expect: answers TypeError TypeError
export default ({ ctx, facet }) =>
  ["", "x".repeat(300)].map((name) => {
    try {
      facet(ctx, name);
      return "made";
    } catch (error) {
      return error.name;
    }
  }).join(" ");
