// A14: the same by fill().
// expect: process
// slow
export default () => Array.prototype.fill.call({ length: 2 ** 53 - 1 }, 1);
