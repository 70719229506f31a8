// B22: what is logged has getters that loop.
// expect: answers done | 503 cpu_limit
export default () => {
  console.log({ get a() { for (;;); } });
  return "done";
};
