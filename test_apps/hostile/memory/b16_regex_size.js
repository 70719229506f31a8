// B16: a regular expression that is too large when compiled.
// expect: answers false | throws SyntaxError
export default () => new RegExp("((a{1000}){1000}){1000}").test("a");
