// A38: the end comes inside a transaction.
// expect: 503 cpu_limit
export default ({ ctx }) => ctx.storage.transactionSync(() => { for (;;); });
