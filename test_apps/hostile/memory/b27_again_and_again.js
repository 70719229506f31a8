// B27: up to the limit and back, many times.
// expect: answers done | 503 cpu_limit | 503 memory_limit
// slow
export default () => {
  for (let round = 0; round < 20; round++) {
    const all = [];
    for (let i = 0; i < 400; i++) all.push(new Array(10_000).fill(i));
  }
  return "done";
};
