// A02: a dynamic import of itself, awaited at the top level.
// expect: deploy startup
await import("./attack.js");
export default () => "never";
