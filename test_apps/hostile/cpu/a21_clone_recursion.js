// A21: a list a million deep is cloned.
// expect: throws
// slow
export default () => {
  let list = null;
  for (let i = 0; i < 1e6; i++) list = { list };
  structuredClone(list);
};
