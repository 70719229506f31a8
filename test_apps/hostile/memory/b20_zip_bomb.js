// B20: a thousandfold expansion of compressed bytes is held back by its reader.
// expect: answers done | 503 cpu_limit | throws
export default async () => {
  const zip = new CompressionStream("gzip");
  const writer = zip.writable.getWriter();
  const zeros = new Uint8Array(1 << 20);
  (async () => {
    for (let i = 0; i < 20; i++) await writer.write(zeros);
    await writer.close();
  })();
  const small = new Uint8Array(await new Response(zip.readable).arrayBuffer());
  const unzip = new DecompressionStream("gzip");
  const feed = unzip.writable.getWriter();
  const fed = (async () => {
    for (let i = 0; i < 1000; i++) await feed.write(small);
  })();
  fed.catch(() => {});
  const reader = unzip.readable.getReader();
  await reader.read();
  return "done";
};
