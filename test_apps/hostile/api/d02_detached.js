// D02: buffers are detached between a call and its use.
// expect: answers alive
export default async ({ ctx }) => {
  const uses = [
    (bytes) => crypto.subtle.digest("SHA-256", bytes),
    (bytes) => new TextDecoder().decode(bytes),
    (bytes) => new Response(bytes).text(),
    (bytes) => ctx.storage.sql.exec("SELECT ?", bytes).toArray(),
    (bytes) => ctx.storage.kv.put("a", bytes),
    (bytes) => crypto.getRandomValues(bytes),
    (bytes) => new Blob([bytes]).arrayBuffer(),
  ];
  for (const use of uses) {
    const before = new Uint8Array(1024);
    before.buffer.transfer(0);
    const after = new Uint8Array(1024);
    try {
      await use(before);
    } catch {}
    try {
      const used = use(after);
      after.buffer.transfer(0);
      await used;
    } catch {}
  }
  return "alive";
};
