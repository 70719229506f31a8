// C16: the machine shows through in nothing.
// expect: answers UTC en-US en 1
export default () => {
  const { timeZone, locale } = Intl.DateTimeFormat().resolvedOptions();
  return `${timeZone} ${locale} ${navigator.language} ${navigator.hardwareConcurrency}`;
};
