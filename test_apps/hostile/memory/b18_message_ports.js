// B18: message ports without an end.
// expect: 503 cpu_limit | 503 memory_limit | throws
// slow
export default () => {
  const all = [];
  for (;;) all.push(new MessageChannel());
};
