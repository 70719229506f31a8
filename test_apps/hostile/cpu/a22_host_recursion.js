// A22: through the runtime and back without an end.
// expect: throws RangeError
export default () => {
  const deeper = () => new Headers([["a", { toString: () => (deeper(), "b") }]]);
  deeper();
};
