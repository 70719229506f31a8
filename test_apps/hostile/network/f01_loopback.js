// F01: this machine, written in every way there is.
// expect: answers refused
export default async ({ request }) => {
  const { port } = new URL(request.url);
  for (const host of ["127.0.0.1", "localhost", "127.1", "0", "0.0.0.0", "0x7f.1", "2130706433",
    "017700000001", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "localhost.", "foo.localhost", "127.0.0.1.", "127.255.255.254"]) {
    try {
      const answer = await fetch(`http://${host}:${port}/`);
      return `${host} ${answer.status}`;
    } catch {}
  }
  return "refused";
};
