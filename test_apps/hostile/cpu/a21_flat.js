// A21: an array of depth one hundred thousand is made flat.
// expect: throws RangeError
export default () => {
  let nested = [];
  for (let i = 0; i < 1e5; i++) nested = [nested];
  return nested.flat(Infinity).length;
};
