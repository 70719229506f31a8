// A17: a long text is normalised; that is not interrupted, but bounded by its length.
// expect: 503 cpu_limit | 503 memory_limit | throws | process
// slow
export default () => "\u00e9".repeat(2 ** 26).normalize("NFKD").length;
