// A32: a digest of a large buffer, again and again.
// expect: 503 cpu_limit | answers done
// slow
export default async () => {
  const bytes = new Uint8Array(32 << 20);
  for (let i = 0; i < 8; i++) await crypto.subtle.digest("SHA-512", bytes);
  return "done";
};
