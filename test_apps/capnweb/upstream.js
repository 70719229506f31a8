// The other instance of the same worker, which the client speaks to.

export * from "./worker.js";
export { default } from "./worker.js";
