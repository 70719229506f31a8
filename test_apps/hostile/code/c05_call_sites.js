// C05: a stack trace hands out neither the runtime's functions nor its objects.
// expect: answers nothing
export default () => {
  let found = "nothing";
  Error.prepareStackTrace = (_, sites) => {
    for (const site of sites) {
      if (/^(?:ext|node):/.test(site.getFileName() ?? "")) {
        if (site.getFunction() !== undefined || site.getThis() !== undefined) {
          found = `${site.getFileName()} ${site.getFunctionName()}`;
        }
      }
    }
    return "";
  };
  new Headers([["a", { toString: () => (new Error("x").stack, "b") }]]);
  Error.prepareStackTrace = undefined;
  return found;
};
