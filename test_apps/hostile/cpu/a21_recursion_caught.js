// A21: a loop on what is left of the stack.
// expect: 503 cpu_limit
export default () => {
  const deeper = () => {
    try {
      deeper();
    } catch {
      for (;;);
    }
  };
  deeper();
};
