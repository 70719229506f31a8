// B05: every character of a long text is replaced.
// expect: throws RangeError | 503 memory_limit | process
// slow
export default () => "a".repeat(2 ** 29 - 25).replace(/a/g, "bb").length;
