// A25: the same by queueMicrotask().
// expect: 503 cpu_limit | answers undefined
export default () => {
  const again = () => queueMicrotask(again);
  again();
};
