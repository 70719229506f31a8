// A12: a tree that is small in memory and endless as text.
// expect: 503 cpu_limit | 503 memory_limit | throws RangeError
// slow
export default () => {
  let node = ["x"];
  for (let i = 0; i < 40; i++) node = [node, node];
  return JSON.stringify(node).length;
};
