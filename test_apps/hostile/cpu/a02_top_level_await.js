// A02: a top-level await that never settles.
// expect: deploy startup
await new Promise(() => {});
export default () => "never";
