// A28: rejections that nobody handles, without an end.
// expect: 503 cpu_limit | answers undefined
export default () => {
  const again = () => {
    Promise.reject(new Error("x"));
    queueMicrotask(again);
  };
  again();
};
