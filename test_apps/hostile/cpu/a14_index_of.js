// A14: the same by indexOf().
// expect: process
// slow
export default () => Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);
