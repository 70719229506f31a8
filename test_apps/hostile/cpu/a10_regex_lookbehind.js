// A10: look-behind and back-references, nested.
// expect: 503 cpu_limit
// slow
export default () => /^(?:(?<=(a*))(a*)*)*\1\2$/v.test("a".repeat(48) + "b");
