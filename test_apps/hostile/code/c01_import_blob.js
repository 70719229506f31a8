// C01: a module from a blob, from a file and from the network.
// expect: answers refused
export default async () => {
  for (const url of ["blob:null/1", "file:///etc/passwd", "http://127.0.0.1/a.js",
    "ext:core/ops"]) {
    try {
      await import(url);
      return url;
    } catch {}
  }
  return "refused";
};
