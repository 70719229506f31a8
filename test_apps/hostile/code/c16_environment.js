// C16: the environment of the process is not that of the app.
// expect: answers none
export default ({ env }) => {
  const names = Object.keys(env).concat(Object.keys(globalThis.process?.env ?? {}));
  return names.length === 0 ? "none" : names.join(" ");
};
