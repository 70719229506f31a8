// B21: blobs made of blobs are small until they are read.
// expect: throws | 503 memory_limit | 503 cpu_limit
export default async () => {
  let blob = new Blob(["x".repeat(1 << 20)]);
  for (let i = 0; i < 64; i++) blob = new Blob([blob, blob]);
  return (await blob.arrayBuffer()).byteLength;
};
