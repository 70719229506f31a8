// A21: functions call each other without an end.
// expect: throws RangeError
export default () => {
  const even = (n) => odd(n + 1) + 1;
  const odd = (n) => even(n + 1) + 1;
  return even(0);
};
