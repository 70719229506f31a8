// F09: URLs that two parsers would read in two ways.
// expect: answers refused
export default async ({ request }) => {
  const { port } = new URL(request.url);
  for (const url of [
    `http://user:pass@example.com@127.0.0.1:${port}/`, `http://example.com\\@127.0.0.1:${port}/`,
    `http://127.0.0.1:${port}#@example.com/`, `http://127.0.0.1\t:${port}/`,
      `http:127.0.0.1:${port}/`,
    `http:///127.0.0.1:${port}/`, `//127.0.0.1:${port}/`, `http://127.0.0.1:${port}:443/`,
    `http://\u2460\u2461\u2466.0.0.1:${port}/`, `http://example.com%2f@127.0.0.1:${port}/`,
    "gopher://127.0.0.1/", "file:///etc/passwd", "ftp://127.0.0.1/", "javascript:1",
  ]) {
    try {
      const answer = await fetch(url);
      return `${url} ${answer.status}`;
    } catch {}
  }
  return "refused";
};
