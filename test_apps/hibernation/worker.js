// WebSockets that an object accepts for hibernation: tags, attachments, automatic answers, events.

import { DurableObject } from "cloudflare:workers";

export default {
  fetch(request, env, ctx) {
    const [, kind, name] = new URL(request.url).pathname.split("/");
    if (kind === "room") return ctx.exports.Room.getByName(name).fetch(request);
    if (kind === "tree") return ctx.exports.Supervisor.getByName(name).fetch(request);
    return new Response("not found", { status: 404 });
  },
};

function attempt(f) {
  try {
    const value = f();
    return value === undefined ? "undefined" : value;
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

/** Tells all sockets tagged "watch" what happens. */
export class Room extends DurableObject {
  sockets = new Set();

  fetch(request) {
    const { searchParams } = new URL(request.url);
    if (searchParams.has("rules")) return Response.json(rules(this.ctx));
    const [client, server] = new WebSocketPair();
    this.ctx.acceptWebSocket(server, searchParams.getAll("tag"));
    server.serializeAttachment({ name: searchParams.get("name"), count: 0 });
    this.sockets.add(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  watched(text) {
    for (const socket of this.ctx.getWebSockets("watch")) socket.send(text);
  }

  async webSocketMessage(socket, message) {
    const state = socket.deserializeAttachment();
    if (typeof message !== "string") {
      return socket.send(message instanceof ArrayBuffer ? message : "no ArrayBuffer");
    }
    const [verb, ...rest] = message.split(" ");
    const argument = rest.join(" ");
    switch (verb) {
      case "count":
        socket.serializeAttachment({ ...state, count: state.count + 1 });
        return socket.send(JSON.stringify(socket.deserializeAttachment()));
      case "store": {
        const stored = (this.ctx.storage.kv.get("stored") ?? 0) + 1;
        this.ctx.storage.kv.put("stored", stored);
        return socket.send(`stored ${stored}`);
      }
      case "list": {
        const sockets = this.ctx.getWebSockets(argument === "" ? undefined : argument);
        return socket.send(
          JSON.stringify(sockets.map((each) => [
            each.deserializeAttachment().name,
            this.ctx.getTags(each),
          ])),
        );
      }
      case "same":
        return socket.send(
          JSON.stringify([
            this.ctx.getWebSockets().includes(socket),
            this.sockets.has(socket),
            [socket.readyState, socket.url, socket.protocol, socket.extensions],
          ]),
        );
      case "wait":
        await new Promise((resolve) => this.release = resolve);
        return socket.send("waited");
      case "release":
        socket.send("released");
        return this.release();
      case "listen":
        socket.addEventListener("message", () => socket.send("a listener was called"));
        return socket.send("listening");
      case "throw":
        throw new Error("from a handler");
      case "auto":
        this.ctx.setWebSocketAutoResponse(
          argument === "" ? undefined : new WebSocketRequestResponsePair("ping", argument),
        );
        return socket.send("set");
      case "answered": {
        const time = this.ctx.getWebSocketAutoResponseTimestamp(socket);
        return socket.send(time === null ? "never" : `${Math.abs(Date.now() - time) < 60_000}`);
      }
      case "close": {
        const [code, reason] = rest;
        socket.close(code === undefined ? undefined : Number(code), reason);
        return this.watched(`${state.name} is told to go: ${socket.readyState}`);
      }
      case "abort":
        this.ctx.abort("aborted by a message");
        break;
      default:
        socket.send(`${state.name}: ${message}`);
    }
  }

  webSocketClose(socket, code, reason, wasClean) {
    const { name } = socket.deserializeAttachment();
    const left = this.ctx.getWebSockets().length;
    this.watched(
      JSON.stringify([name, code, reason, wasClean, socket.readyState, this.ctx.getTags(socket)]),
    );
    if (reason === "throw") throw new Error("from a close handler");
    if (reason === "answer me") socket.close(3999, `${left} with you`);
  }

  webSocketError(socket, error) {
    this.watched(`${socket.deserializeAttachment().name} failed: ${error}`);
  }
}

/** Has no handlers, and a facet that has all of them. */
export class Supervisor extends DurableObject {
  fetch(request) {
    const { searchParams } = new URL(request.url);
    const facet = this.ctx.facets.get("room", () => ({ class: this.ctx.exports.Room }));
    if (searchParams.has("abort")) {
      this.ctx.facets.abort("room", new Error("new code"));
      return new Response("aborted");
    }
    if (searchParams.has("mine")) return Response.json(this.ctx.getWebSockets().length);
    return facet.fetch(request);
  }
}

function rules(ctx) {
  const out = {};
  const fresh = () => new WebSocketPair()[0];
  const accept = (socket, tags) => attempt(() => ctx.acceptWebSocket(socket, tags));
  out.accepted = attempt(() => {
    const socket = fresh();
    socket.accept();
    return accept(socket);
  });
  out["the other side accepted"] = attempt(() => {
    const [a, b] = new WebSocketPair();
    b.accept();
    return accept(a);
  });
  out["the other side hibernates"] = attempt(() => {
    const [a, b] = new WebSocketPair();
    return [accept(a), accept(b)];
  });
  out.twice = attempt(() => {
    const socket = fresh();
    return [accept(socket), accept(socket), attempt(() => socket.accept())];
  });
  const numbers = (count, distinct) => Array.from({ length: count }, (_, i) => `${i % distinct}`);
  out.tags = [
    accept(fresh(), numbers(11, 11)),
    accept(fresh(), numbers(12, 2)),
    accept(fresh(), ["x".repeat(257)]),
    accept(fresh(), ["\u20ac".repeat(86)]),
    accept(fresh(), "text"),
    attempt(() => {
      const socket = fresh();
      ctx.acceptWebSocket(socket, ["b", 1, "a", "b", ""]);
      return ctx.getTags(socket);
    }),
  ];
  out.lists = [undefined, "b", "1", "", "none", null].map((tag) =>
    attempt(() => ctx.getWebSockets(tag).length)
  );
  out["tags of others"] = [fresh(), {}].map((socket) => attempt(() => ctx.getTags(socket)));
  out["tags of an accepted one"] = attempt(() => {
    const socket = fresh();
    socket.accept();
    return ctx.getTags(socket);
  });
  out.arguments = [attempt(() => ctx.acceptWebSocket()), accept({})];
  const auto = (request, response) =>
    attempt(() =>
      ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(request, response))
    );
  out.auto = [
    attempt(() => ctx.getWebSocketAutoResponse()),
    auto("a", "b"),
    attempt(() => Object.values({ ...ctx.getWebSocketAutoResponse() }).length),
    attempt(() => ctx.getWebSocketAutoResponse().response),
    auto("x".repeat(2049), ""),
    auto("", "\u20ac".repeat(700)),
    attempt(() => ctx.setWebSocketAutoResponse({ request: "a", response: "b" })),
    attempt(() => ctx.setWebSocketAutoResponse()),
    attempt(() => ctx.getWebSocketAutoResponse()),
    attempt(() => ctx.getWebSocketAutoResponseTimestamp(fresh())),
  ];
  out.timeout = [1000, 604_800_001, -1, 0, 5, undefined].map((ms) => [
    attempt(() => ctx.setHibernatableWebSocketEventTimeout(ms)),
    ctx.getHibernatableWebSocketEventTimeout(),
  ]);
  return out;
}
