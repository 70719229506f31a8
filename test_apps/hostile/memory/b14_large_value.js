// B14: a value that is larger than what may be stored.
// expect: throws
export default ({ ctx }) => ctx.storage.kv.put("key", "x".repeat(64 << 20));
