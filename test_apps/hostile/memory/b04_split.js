// B04: what V8 answers with the end of the process.
// expect: process
export default () => "a".repeat(2 ** 28).split("").length;
