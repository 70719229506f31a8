// A21: JSON.parse() whose reviver parses.
// expect: throws RangeError
export default () => {
  const revive = () => JSON.parse("[1]", revive);
  return revive();
};
