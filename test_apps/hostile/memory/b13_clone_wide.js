// B13: a graph that is small by sharing is cloned as what it is.
// expect: answers done | throws | 503 cpu_limit | 503 memory_limit
// slow
export default () => {
  let node = {};
  for (let i = 0; i < 1000; i++) node = { a: node, b: node };
  structuredClone(node);
  return "done";
};
