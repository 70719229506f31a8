// A14: the same by lastIndexOf().
// expect: process
// slow
export default () => Array.prototype.lastIndexOf.call({ length: 2 ** 53 - 1 }, 1);
