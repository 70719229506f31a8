// Echo over WebSockets: `/plain` by a listener in the worker, `/hibernatable` by the handler of an
// object.

import { DurableObject } from "cloudflare:workers";

export class Room extends DurableObject {
  fetch() {
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  webSocketMessage(socket, message) {
    socket.send(message);
  }
}

export default {
  fetch(request, _env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === "/hibernatable") return ctx.exports.Room.getByName("it").fetch(request);
    if (pathname !== "/plain") return new Response("ready");
    const [client, server] = Object.values(new WebSocketPair());
    server.accept();
    server.addEventListener("message", ({ data }) => server.send(data));
    return new Response(null, { status: 101, webSocket: client });
  },
};
