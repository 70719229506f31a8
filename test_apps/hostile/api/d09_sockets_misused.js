// D09: a pair of sockets is closed and used in each other's events.
// expect: answers alive
export default async () => {
  const { 0: a, 1: b } = new WebSocketPair();
  a.accept();
  b.accept();
  a.addEventListener("message", () => {
    b.close();
    try {
      a.send("x");
      a.close();
      a.accept();
    } catch {}
  });
  b.send("x");
  await scheduler.wait(5);
  return "alive";
};
