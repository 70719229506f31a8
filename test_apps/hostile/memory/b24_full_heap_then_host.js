// B24: the heap is full when the runtime is asked for something.
// expect: 503 memory_limit
export default ({ ctx }) => {
  const all = [];
  for (let i = 0;; i++) {
    all.push(new Array(1000).fill(i));
    if (i % 100 === 0) ctx.storage.kv.put("i", i);
  }
};
