// G11: line breaks in headers and status text.
// expect: answers refused
export default () => {
  const attempts = [
    () => new Headers({ a: "b\r\nc: d" }),
    () => new Headers({ "a\r\nb": "c" }),
    () => new Response("", { statusText: "OK\r\nset-cookie: a=b" }),
    () => new Headers().set("a", "b\0c"),
    () => Response.redirect("http://a.example/\r\nx: y",
      302).headers.get("location").match(/\n/)[0],
    () => new Response("", { status: 103 }),
    () => new Response("", { status: 1000 }),
  ];
  for (const attempt of attempts) {
    try {
      attempt();
      return String(attempt);
    } catch {}
  }
  return "refused";
};
