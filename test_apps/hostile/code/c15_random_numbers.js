// C15: isolates of one snapshot do not share their random numbers.
// expect: answers different
export default () => {
  const own = Array.from({ length: 8 }, () => Math.random()).join();
  const fixed = "0.12345";
  const bytes = crypto.getRandomValues(new Uint8Array(16)).join();
  return own !== fixed && bytes !== new Uint8Array(16).join() ? "different" : "same";
};
