// B22: what is logged has a hundred thousand keys.
// expect: answers done | 503 cpu_limit
// slow
export default () => {
  const wide = {};
  for (let i = 0; i < 100_000; i++) wide["k" + i] = i;
  console.log(wide);
  return "done";
};
