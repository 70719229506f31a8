// H08: transactions inside of transactions without an end.
// expect: throws
export default ({ ctx }) => {
  const deeper = () => ctx.storage.transactionSync(deeper);
  deeper();
};
