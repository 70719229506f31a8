// A32: as much as the limit allows is compressed and nobody reads it.
// expect: 503 cpu_limit | answers done | throws
// slow
export default async () => {
  const stream = new CompressionStream("gzip");
  const writer = stream.writable.getWriter();
  const zeros = new Uint8Array(1 << 20);
  const reader = stream.readable.getReader();
  const drain = (async () => { while (!(await reader.read()).done); })();
  for (let i = 0; i < 200; i++) await writer.write(zeros);
  await writer.close();
  await drain;
  return "done";
};
