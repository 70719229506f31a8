// D07: listeners add listeners while an event is dispatched.
// expect: answers alive | 503 cpu_limit | 503 memory_limit
export default () => {
  const target = new EventTarget();
  const add = () => target.addEventListener("a", () => add());
  add();
  for (let i = 0; i < 100; i++) target.dispatchEvent(new Event("a"));
  return "alive";
};
