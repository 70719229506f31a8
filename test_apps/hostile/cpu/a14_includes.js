// A14: the same by includes().
// expect: process
// slow
export default () => Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1);
