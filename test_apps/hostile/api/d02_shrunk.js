// D02: a resizable buffer shrinks while it is used.
// expect: answers alive
export default async ({ ctx }) => {
  const buffer = new ArrayBuffer(1 << 16, { maxByteLength: 1 << 16 });
  const bytes = new Uint8Array(buffer);
  for (const use of [
    () => new Response(bytes).text(),
    () => new TextDecoder().decode(bytes),
    () => ctx.storage.kv.put("a", bytes),
    () => ctx.storage.sql.exec("SELECT ?", bytes).toArray(),
    () => crypto.subtle.digest("SHA-1", bytes),
  ]) {
    try {
      buffer.resize(1 << 16);
      const used = use();
      buffer.resize(0);
      await used;
    } catch {}
  }
  return "alive";
};
