// B17: closures without an end.
// expect: 503 memory_limit
export default () => {
  const all = [];
  for (;;) all.push(() => all);
};
