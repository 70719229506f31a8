// J01: code asks the operator's own listeners (celld#220).
// expect: answers refused
export default async ({ request }) => {
  const { port } = new URL(request.url);
  for (const host of ["127.0.0.1", "localhost", "[::1]", "[::ffff:7f00:1]"]) {
    for (const path of ["/v1/apps", "/v1/healthz", "/v1/limits", "/objects", "/advance/1000"]) {
      for (const method of ["GET", "POST", "PUT", "DELETE"]) {
        try {
          await fetch(`http://${host}:${port}${path}`, { method });
          return `${method} ${host}${path}`;
        } catch {}
      }
    }
  }
  return "refused";
};
