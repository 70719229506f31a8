// D01: a transformer that ends what it transforms.
// expect: answers alive
export default async () => {
  const acts = [(_, c) => c.terminate(), (_, c) => c.error(1), (x, c) => c.enqueue(x)];
  for (const transform of acts) {
    for (const flush of acts) {
      const stream = new TransformStream({ transform, flush });
      const writer = stream.writable.getWriter();
      writer.closed.catch(() => {});
      writer.write("a").catch(() => {});
      writer.close().catch(() => {});
      stream.readable.getReader().read().catch(() => {});
    }
  }
  await scheduler.wait(1);
  return "alive";
};
