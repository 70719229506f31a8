// A38: the end comes while a value is serialized.
// expect: 503 cpu_limit
export default ({ ctx }) => {
  ctx.storage.kv.put("key", { get a() { for (;;); } });
};
