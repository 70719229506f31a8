// A13: a built-in that cannot be interrupted and never ends.
// expect: process
export default () => Array.prototype.reverse.call({ length: 2 ** 53 - 1 });
