// C06: species and constructors of buffers are the app's now.
// expect: answers text 4 | 500 internal
export default async () => {
  const stolen = { get() { throw new Error("stolen"); }, configurable: true };
  Object.defineProperty(Uint8Array.__proto__, Symbol.species, stolen);
  Object.defineProperty(ArrayBuffer, Symbol.species, stolen);
  Object.defineProperty(Promise, Symbol.species, stolen);
  Object.defineProperty(Array, Symbol.species, stolen);
  const bytes = new TextEncoder().encode("text");
  return `${await new Response(bytes).text()} ${bytes.length}`;
};
