// A25: microtasks without an end.
// expect: 503 cpu_limit | answers undefined
export default () => {
  const again = () => Promise.resolve().then(again);
  again();
};
