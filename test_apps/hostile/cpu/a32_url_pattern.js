// A32: a pattern with a regular expression that backtracks for ever.
// expect: 503 cpu_limit | throws
export default () =>
  new URLPattern({ pathname: "/:a((?:a+)+)b" }).test({ pathname: "/" + "a".repeat(40) + "!" });
