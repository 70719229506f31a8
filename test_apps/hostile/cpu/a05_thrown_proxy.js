// A05: what is thrown is a proxy whose every trap loops.
// expect: 503 cpu_limit
export default () => {
  const trap = () => { for (;;); };
  throw new Proxy({}, { get: trap, has: trap, getPrototypeOf: trap, ownKeys: trap });
};
