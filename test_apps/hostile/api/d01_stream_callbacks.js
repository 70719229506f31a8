// D01: a stream's callbacks undo the stream they belong to.
// expect: answers alive
export default async () => {
  const acts = [
    (c) => c.close(),
    (c) => c.error(new Error("x")),
    (c) => c.enqueue(new Uint8Array(1)),
    (c) => { c.close(); c.enqueue(1); },
    () => { throw new Error("x"); },
    () => new Promise(() => {}),
  ];
  for (const start of acts) {
    for (const pull of acts) {
      try {
        const stream = new ReadableStream({ start, pull,
          cancel: () => { throw new Error("y"); } });
        const reader = stream.getReader();
        reader.closed.catch(() => {});
        reader.read().catch(() => {});
        reader.cancel().catch(() => {});
        reader.releaseLock();
      } catch {}
    }
  }
  await scheduler.wait(1);
  return "alive";
};
