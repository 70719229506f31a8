// B18: a stream is split, and one of its branches is not read.
// expect: throws | 503 memory_limit | 503 cpu_limit
// slow
export default async () => {
  const chunk = () => new Uint8Array(1 << 20);
  const source = new ReadableStream({ pull: (controller) => controller.enqueue(chunk()) });
  const [fast] = source.tee();
  const reader = fast.getReader();
  for (;;) await reader.read();
};
