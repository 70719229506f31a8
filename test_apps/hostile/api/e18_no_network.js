// E18: an app without network has none, whatever it tries.
// expect: answers refused
export default async () => {
  const attempts = [
    () => fetch("http://127.0.0.1:7070/v1/apps"),
    () => fetch("https://example.com/"),
    () => fetch(new Request("http://localhost/")),
    () => new Promise((resolve, reject) => {
      const socket = new WebSocket("ws://127.0.0.1:7070/");
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", reject);
      setTimeout(reject, 500);
    }),
    () => import("https://example.com/a.js"),
    () => fetch("file:///etc/passwd"),
    () => fetch("blob:null/1"),
  ];
  for (const attempt of attempts) {
    try {
      await attempt();
      return String(attempt);
    } catch {}
  }
  return "refused";
};
