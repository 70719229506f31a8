// D02: a buffer is detached by a getter of the same call.
// expect: answers alive
export default async ({ ctx }) => {
  const bytes = new Uint8Array(1 << 16);
  const detach = { toString() { bytes.buffer.transfer(0); return "SHA-256"; } };
  try {
    await crypto.subtle.digest(detach, bytes);
  } catch {}
  const other = new Uint8Array(1 << 16);
  try {
    ctx.storage.sql.exec("SELECT ?, ?", other, { toString() { other.buffer.transfer(0); } });
  } catch {}
  return "alive";
};
