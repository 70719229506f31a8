// A02: microtasks without an end while the module starts.
// expect: deploy cpu_limit
const again = () => Promise.resolve().then(again);
again();
await new Promise(() => {});
export default () => "never";
