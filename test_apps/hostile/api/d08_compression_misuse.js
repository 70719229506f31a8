// D08: a stream of compression is cancelled while it works.
// expect: answers alive
export default async () => {
  for (const Class of [CompressionStream, DecompressionStream]) {
    for (const format of ["gzip", "deflate", "deflate-raw"]) {
      const stream = new Class(format);
      const writer = stream.writable.getWriter();
      writer.closed.catch(() => {});
      writer.write(new Uint8Array(1024)).catch(() => {});
      stream.readable.cancel("x").catch(() => {});
      writer.abort("y").catch(() => {});
    }
  }
  await scheduler.wait(1);
  return "alive";
};
