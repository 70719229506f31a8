// F12: ports that are for no web server.
// expect: answers refused
export default async () => {
  for (const port of [1, 22, 23, 25, 110, 143, 465, 587, 993, 6000, 6667]) {
    try {
      await fetch(`http://example.com:${port}/`, { signal: AbortSignal.timeout(500) });
      return String(port);
    } catch (error) {
      if (error.name === "TimeoutError") return `tried ${port}`;
    }
  }
  return "refused";
};
