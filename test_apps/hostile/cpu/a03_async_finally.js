// A03: the end cannot be caught by an async function either.
// expect: 503 cpu_limit
export default async () => {
  for (;;) {
    try {
      await null;
      for (;;);
    } catch {
      continue;
    } finally {
      continue;
    }
  }
};
