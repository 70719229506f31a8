// The server that worker.js connects to.

import { DurableObject } from "cloudflare:workers";

/** Ends every socket at once without a close frame. */
export class Rude extends DurableObject {
  fetch() {
    const [client, server] = new WebSocketPair();
    server.accept();
    server.send("soon gone");
    server.addEventListener("message", () => this.ctx.abort("rude"));
    return new Response(null, { status: 101, webSocket: client });
  }
}

export default {
  fetch(request, _env, ctx) {
    const url = new URL(request.url);
    if (url.pathname === "/plain") return new Response("no socket here", { status: 426 });
    if (url.pathname === "/moved") return Response.redirect(`${url.origin}/echo`, 302);
    if (request.headers.get("upgrade") !== "websocket") return new Response("ask", { status: 400 });
    if (url.pathname === "/rude") return ctx.exports.Rude.getByName("a").fetch(request);
    const [client, server] = new WebSocketPair();
    server.accept();
    server.binaryType = "arraybuffer";
    const names = ["sec-websocket-protocol", "sec-websocket-version", "x-own", "authorization"];
    server.addEventListener("message", ({ data }) => {
      if (data === "headers") {
        const found = names.map((name) => [name, request.headers.get(name)]);
        return server.send(JSON.stringify([request.method, url.search, ...found]));
      }
      if (data === "close me") return server.close(4001, "as you wish");
      if (data === "many") {
        for (let i = 0; i < 100; i++) server.send(`${i}`);
        return;
      }
      server.send(data);
    });
    server.addEventListener("close", ({ code, reason }) => console.log(code, reason));
    const headers = url.pathname === "/chosen"
      ? { "sec-websocket-protocol": "b", "x-server": "yes" }
      : {};
    return new Response(null, { status: 101, webSocket: client, headers });
  },
};
