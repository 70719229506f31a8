// A16: a number that is squared for ever.
// expect: 503 cpu_limit | throws RangeError
export default () => {
  for (let n = 2n;;) n *= n;
};
