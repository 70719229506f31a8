// A20: a chain of prototypes that goes through proxies without an end.
// expect: 503 cpu_limit | throws RangeError
export default () => {
  const proxy = new Proxy({}, { getPrototypeOf: () => proxy });
  return proxy instanceof Date;
};
