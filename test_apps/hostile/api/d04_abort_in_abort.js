// D04: a signal is aborted by its own listener, and any() of it by itself.
// expect: answers alive
export default () => {
  const controller = new AbortController();
  const all = AbortSignal.any([controller.signal, controller.signal]);
  controller.signal.addEventListener("abort", () => controller.abort());
  all.addEventListener("abort", () => controller.abort());
  controller.abort();
  return "alive";
};
