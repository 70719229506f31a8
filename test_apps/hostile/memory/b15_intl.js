// B15: formatters of many languages.
// expect: 503 cpu_limit | 503 memory_limit
// slow
export default () => {
  const all = [];
  for (let i = 0;; i++) {
    all.push(new Intl.DateTimeFormat(`en-u-ca-buddhist-nu-thai-x-${i}`, { timeStyle: "full" }));
  }
};
