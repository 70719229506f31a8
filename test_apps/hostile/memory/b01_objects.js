// B01: small objects without an end.
// expect: 503 memory_limit
export default () => {
  const all = [];
  for (let i = 0;; i++) all.push({ i, j: i });
};
