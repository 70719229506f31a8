// A17: two long texts are compared by the rules of a language.
// expect: 503 cpu_limit | 503 memory_limit | throws | process | answers 0
// slow
export default () => {
  const text = "\u00e9".repeat(2 ** 25);
  return text.localeCompare("e\u0301".repeat(2 ** 25));
};
