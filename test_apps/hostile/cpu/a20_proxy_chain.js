// A20: a chain of two hundred thousand proxies.
// expect: throws RangeError
export default () => {
  let chain = {};
  for (let i = 0; i < 200_000; i++) chain = new Proxy(chain, {});
  return Object.getPrototypeOf(chain);
};
