// A06: Error.prepareStackTrace loops while a module fails to start.
// expect: deploy cpu_limit | deploy startup
Error.prepareStackTrace = () => { for (;;); };
throw new Error("x");
export default () => "never";
