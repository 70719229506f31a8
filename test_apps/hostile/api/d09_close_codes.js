// D09: codes and reasons that no close frame may have.
// expect: answers refused
export default () => {
  const { 0: a } = new WebSocketPair();
  a.accept();
  for (const args of [[1], [1005], [1015], [70_000], [1000, "x".repeat(200)], [{}], [NaN]]) {
    try {
      a.close(...args);
      return `closed ${args}`;
    } catch {}
  }
  return "refused";
};
