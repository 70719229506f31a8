// E14: what is thrown has no prototype.
// expect: throws Error: #<Object>
export default () => {
  throw Object.create(null);
};
