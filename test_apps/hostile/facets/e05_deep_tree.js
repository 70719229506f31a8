// E05: facets of facets beyond the depth there is.
// expect: throws
export default ({ ctx, deeper }) => deeper(ctx, 8);
