// C02: WebAssembly from bytes.
// expect: answers refused
export default async () => {
  const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
  try {
    new WebAssembly.Module(bytes);
    return "compiled";
  } catch {}
  try {
    await WebAssembly.compile(bytes);
    return "compiled";
  } catch {}
  return "refused";
};
