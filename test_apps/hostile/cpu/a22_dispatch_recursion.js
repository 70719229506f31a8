// A22: an event listener that dispatches.
// expect: throws RangeError | answers over | 500 internal
export default () => {
  const target = new EventTarget();
  target.addEventListener("a", () => target.dispatchEvent(new Event("a")));
  target.dispatchEvent(new Event("a"));
  return "over";
};
