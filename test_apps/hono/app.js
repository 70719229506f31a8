// Hono: routing, validation, middleware that uses streams and crypto, cookies, errors.

import { Hono } from "hono";
import { basicAuth } from "hono/basic-auth";
import { bodyLimit } from "hono/body-limit";
import { compress } from "hono/compress";
import { deleteCookie, getCookie, getSignedCookie, setCookie, setSignedCookie } from "hono/cookie";
import { cors } from "hono/cors";
import { csrf } from "hono/csrf";
import { etag } from "hono/etag";
import { HTTPException } from "hono/http-exception";
import { jwt, sign } from "hono/jwt";
import { secureHeaders } from "hono/secure-headers";
import { stream, streamSSE, streamText } from "hono/streaming";
import { validator } from "hono/validator";

const SECRET = "a secret of the test";
const app = new Hono();

app.use("/api/*", cors({ origin: "https://a.example", credentials: true }));
app.use("/safe/*", secureHeaders());
app.use("/tagged/*", etag());
app.use("/packed/*", compress());
app.use("/admin/*", basicAuth({ username: "user", password: "word" }));
app.use("/token/*", jwt({ secret: SECRET, alg: "HS256" }));
app.use("/form/*", csrf());

app.get("/", (c) => c.text("Hello Hono"));
app.get(
  "/api/items/:id{[0-9]+}",
  (c) => c.json({ id: Number(c.req.param("id")), q: c.req.query("q"), all: c.req.queries("t") }),
);
app.get("/files/*", (c) => c.text(c.req.path));
app.get("/:kind/maybe/:name?", (c) => c.json(c.req.param()));
app.post(
  "/validated",
  validator(
    "json",
    (value, c) => typeof value.name === "string" ? { name: value.name } : c.text("no name", 400),
  ),
  (c) => c.json({ hello: c.req.valid("json").name }, 201),
);
app.post("/form/read", async (c) => c.json(await c.req.parseBody()));
app.post("/limited", bodyLimit({ maxSize: 5 }), async (c) => c.text(await c.req.text()));
app.get("/safe/page", (c) => c.html("<p>safe</p>"));
app.get("/tagged/page", (c) => c.text("the same every time"));
app.get("/packed/page", (c) => c.text("packed ".repeat(400)));
app.get("/admin/page", (c) => c.text("admin"));
app.get("/token/page", (c) => c.json(c.get("jwtPayload")));
app.get("/make-token", async (c) => c.text(await sign({ sub: "me" }, SECRET)));
app.get("/cookies", async (c) => {
  setCookie(c, "plain", "value", { path: "/", httpOnly: true, sameSite: "Strict" });
  await setSignedCookie(c, "signed", "value", SECRET);
  deleteCookie(c, "old");
  return c.text("set");
});
app.get(
  "/cookies/read",
  async (c) =>
    c.json({ plain: getCookie(c, "plain"), signed: await getSignedCookie(c, SECRET, "signed") }),
);
app.get("/stream", (c) =>
  stream(c, async (out) => {
    await out.write(new Uint8Array([104, 105]));
    await out.pipe(new Response(" there").body);
  }));
app.get("/text", (c) =>
  streamText(c, async (out) => {
    for (const word of ["one", "two"]) await out.writeln(word);
  }));
app.get("/events", (c) =>
  streamSSE(c, async (out) => {
    await out.writeSSE({ event: "tick", id: "1", data: "a" });
    await out.writeSSE({ data: "b\nc" });
  }));
app.get("/redirect", (c) => c.redirect("/api/items/1", 308));
app.get("/fail", () => {
  throw new HTTPException(418, { message: "a teapot" });
});
app.get("/crash", () => {
  throw new Error("broken");
});
app.route("/sub", new Hono().basePath("/deep").get("/x", (c) => c.text("nested")));
app.notFound((c) => c.json({ missing: c.req.path }, 404));
app.onError((error, c) =>
  error instanceof HTTPException ? error.getResponse() : c.text(`caught ${error.message}`, 500)
);

/** Asks the app itself, so that one answer says it all. */
async function ask(path, init) {
  const response = await app.request(path, init);
  const { status, headers } = response;
  return { status, headers: [...headers].sort(), body: await response.text() };
}

async function all() {
  const results = {};
  const form = new FormData();
  form.append("a", "1");
  form.append("file", new File(["text"], "name.txt", { type: "text/plain" }));
  const json = { "content-type": "application/json" };
  const basic = { authorization: `Basic ${btoa("user:word")}` };
  const token = (await ask("/make-token")).body;
  const tag = (await app.request("/tagged/page")).headers.get("etag");
  const cookies = (await app.request("/cookies")).headers.getSetCookie()
    .map((cookie) => cookie.split(";")[0]).join("; ");
  const asked = {
    "/": undefined,
    "/api/items/42?q=x&t=1&t=2": { headers: { origin: "https://a.example" } },
    "/api/items/x": undefined,
    "/api/items/1 ": { method: "OPTIONS", headers: { origin: "https://a.example" } },
    "/files/a/b%20c.txt": undefined,
    "/a/maybe": undefined,
    "/a/maybe/b": undefined,
    "/validated": { method: "POST", body: '{"name":"you"}', headers: json },
    "/validated?bad": { method: "POST", body: "{}", headers: json },
    "/validated?malformed": { method: "POST", body: "{", headers: json },
    "/form/read": {
      method: "POST",
      body: new URLSearchParams({ a: "b c" }),
      headers: { origin: "http://localhost" },
    },
    "/form/read?foreign": {
      method: "POST",
      body: new URLSearchParams({ a: "b c" }),
      headers: { origin: "http://evil.example" },
    },
    "/limited": { method: "POST", body: "12345" },
    "/limited?much": { method: "POST", body: "123456" },
    "/safe/page": undefined,
    "/tagged/page": undefined,
    "/tagged/page?same": { headers: { "if-none-match": tag } },
    "/admin/page": undefined,
    "/admin/page?in": { headers: basic },
    "/token/page": undefined,
    "/token/page?in": { headers: { authorization: `Bearer ${token}` } },
    "/token/page?forged": { headers: { authorization: `Bearer ${token}x` } },
    "/make-token": undefined,
    "/cookies": undefined,
    "/cookies/read": { headers: { cookie: cookies } },
    "/cookies/read?forged": { headers: { cookie: "signed=value.AAAA" } },
    "/stream": undefined,
    "/text": undefined,
    "/events": undefined,
    "/redirect": undefined,
    "/fail": undefined,
    "/crash": undefined,
    "/sub/deep/x": undefined,
    "/nowhere": undefined,
  };
  for (const path in asked) results[path] = await ask(path, asked[path]);
  const packed = await app.request("/packed/page", { headers: { "accept-encoding": "gzip" } });
  const unpacked = packed.body.pipeThrough(new DecompressionStream("gzip"));
  results.packed = [
    packed.headers.get("content-encoding"),
    (await new Response(unpacked).text()).length,
  ];
  return results;
}

app.get("/all", async (c) => c.json(await all()));

export default app;
