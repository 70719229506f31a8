// C01: a module from a data URL.
// expect: throws
export default () => import("data:text/javascript,export default 1");
