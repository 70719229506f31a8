// WebSockets that a worker and its objects accept with accept(), and how they are handed on.

import { DurableObject } from "cloudflare:workers";

export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    switch (url.pathname) {
      case "/errors":
        return Response.json(errors());
      case "/responses":
        return Response.json(responses());
      case "/pair":
        return Response.json(await pair());
      case "/close":
        return Response.json(await close());
      case "/listeners":
        return Response.json(await listeners());
      case "/client":
        return Response.json(await client(ctx.exports.Room.getByName("client")));
      case "/echo":
        return echo(request);
      case "/own-headers": {
        const [client, server] = new WebSocketPair();
        server.accept();
        const names = ["connection", "upgrade", "sec-websocket-version", "sec-websocket-protocol"];
        server.send(JSON.stringify(names.map((name) => request.headers.get(name))));
        server.close(4000, "that is all");
        const headers = { "sec-websocket-protocol": "chat", "x-other": "kept" };
        return new Response(null, { status: 101, webSocket: client, headers });
      }
      case "/late": {
        const [client, server] = new WebSocketPair();
        server.accept();
        ctx.waitUntil((async () => {
          await scheduler.wait(1);
          const found = attempt(() => client.accept());
          server.send(found);
        })());
        return new Response(null, { status: 101, webSocket: client });
      }
      case "/remade": {
        const response = await ctx.exports.Room.getByName("remade").fetch(request);
        const socket = response.webSocket;
        const again = new Response(null, response);
        const headers = { "x-same": `${again.webSocket === socket}` };
        return new Response(again.body, { status: 101, webSocket: socket, headers });
      }
      case "/plain":
        return new Response("no socket here", { status: 426 });
    }
    const [, kind, name] = url.pathname.split("/");
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

async function attemptAsync(f) {
  try {
    return await f();
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

function accepted() {
  const [a] = new WebSocketPair();
  a.accept();
  return a;
}

function errors() {
  const out = {};
  const [a, b] = new WebSocketPair();
  const fresh = new WebSocketPair();
  out.pair = [Object.keys(fresh), String(fresh), a instanceof WebSocket];
  out["event target"] = [a instanceof EventTarget, String(a), Object.keys(a)];
  out.fresh = [a.readyState, a.url, a.protocol, a.extensions, a.binaryType, a.bufferedAmount];
  out.constants = [WebSocket.CONNECTING, a.OPEN, WebSocket.READY_STATE_CLOSING, a.CLOSED];
  out["send before accept"] = attempt(() => a.send("x"));
  out["close before accept"] = attempt(() => a.close(1000, "x"));
  out["accept twice"] = [attempt(() => a.accept()), attempt(() => a.accept())];
  out["send nothing"] = attempt(() => a.send());
  const codes = [
    [999], [1000], [1003], [1004], [1005], [1006], [1015], [1016], [2999], [3000], [4999], [5000],
    [0], [-1], [65536], [1000.5], ["1000"], ["abc"], [null], [true], [undefined, "r"], [1000, ""],
    [1000, "x".repeat(123)], [1000, "x".repeat(124)], [1000, "\u20ac".repeat(42)],
  ];
  out.close = codes.map(([code, reason]) => {
    const socket = accepted();
    return `${code} ${reason?.length}: ${attempt(() => socket.close(code, reason))}`;
  });
  const closed = accepted();
  closed.close(1000);
  out.closed = [closed.readyState, attempt(() => closed.close(1000))];
  out["send after close"] = attempt(() => closed.send("x"));
  out.url = ["http://x/", "nonsense", "ws://x/#f"].map((url) => attempt(() => new WebSocket(url)));
  out.protocols = ["a b", ["a", "a"]].map((list) => attempt(() => new WebSocket("ws://x", list)));
  out["no url"] = attempt(() => new WebSocket());
  out.attachment = [
    attempt(() => b.deserializeAttachment()),
    attempt(() => b.serializeAttachment({ a: [1, new Map([[1, 2]])] })),
    attempt(() => b.deserializeAttachment().a[1].get(1)),
    attempt(() => b.serializeAttachment("x".repeat(16384))),
    attempt(() => b.serializeAttachment()),
    attempt(() => b.serializeAttachment(() => 1)),
  ];
  b.binaryType = "arraybuffer";
  b.binaryType = "nonsense";
  out.binaryType = b.binaryType;
  out.auto = [
    attempt(() => new WebSocketRequestResponsePair("a").request),
    attempt(() => Object.keys(new WebSocketRequestResponsePair("a", 2))),
    attempt(() => new WebSocketRequestResponsePair("a", 2).response),
  ];
  return out;
}

function responses() {
  const [, socket] = new WebSocketPair();
  const make = (body, init) => attempt(() => new Response(body, init).status);
  const response = new Response(null, { status: 101, webSocket: socket });
  return {
    "another status": make(null, { status: 200, webSocket: socket }),
    "no status": make(null, { webSocket: socket }),
    "no socket": make(null, { status: 101 }),
    "a body": make("x", { status: 101, webSocket: socket }),
    "not a socket": make(null, { status: 101, webSocket: {} }),
    accepted: make(null, { status: 101, webSocket: accepted() }),
    response: [response.status, response.ok, response.body, response.webSocket === socket],
    copy: attempt(() => new Response(null, response).webSocket === socket),
    clone: attempt(() => response.clone()),
    none: [new Response(null, { webSocket: null }).webSocket, new Response("").webSocket],
  };
}

async function pair() {
  const log = [];
  const [a, b] = new WebSocketPair();
  b.binaryType = "arraybuffer";
  a.accept();
  a.send("before the other side accepts");
  b.accept();
  b.onmessage = ({ data }) => {
    log.push(typeof data === "string" ? data : [...new Uint8Array(data)]);
    if (data === "ping") b.send("pong");
  };
  const answered = new Promise((resolve) => a.addEventListener("message", resolve));
  for (const message of [{ toString: () => "an object" }, null, 12, undefined, [1, 2]]) {
    a.send(message);
  }
  a.send(new Uint8Array([1, 2, 3]).subarray(1));
  a.send(new Uint16Array([258]));
  a.send(new DataView(new ArrayBuffer(4), 1, 2));
  a.send(new ArrayBuffer(0));
  a.send("ping");
  log.push("sent");
  log.push((await answered).data);
  return log;
}

async function close() {
  const out = {};
  const play = async (key, how) => {
    const [a, b] = new WebSocketPair();
    const heard = [];
    const closed = (name, socket) =>
      new Promise((resolve) =>
        socket.addEventListener("close", (event) => {
          const { code, reason, wasClean } = event;
          heard.push([name, code, reason, wasClean, a.readyState, b.readyState]);
          resolve();
        })
      );
    const both = [closed("a", a), closed("b", b)];
    await how(a, b, both, heard);
    await Promise.all(both);
    out[key] = [...heard, a.readyState, b.readyState];
  };
  await play("the other side answers by itself", async (a, b) => {
    a.accept();
    b.accept();
    a.close(3001, "enough");
  });
  await play("without a code", async (a, b) => {
    a.accept();
    b.accept();
    a.close();
  });
  await play("messages before it arrive", async (a, b, _, heard) => {
    a.onmessage = (event) => heard.push(event.data);
    b.accept();
    b.send("early");
    b.close(4000, "r");
    a.accept();
  });
  await play("half open", async (a, b, both, heard) => {
    a.onmessage = (event) => heard.push(event.data);
    a.accept();
    b.accept({ allowHalfOpen: true });
    a.close(3001, "x");
    await both[1];
    b.send("still here");
    b.close(3002, "y");
  });
  return out;
}

async function listeners() {
  const log = [];
  const [a, b] = new WebSocketPair();
  a.accept();
  b.accept();
  const count = () => log.push("function");
  a.addEventListener("message", count);
  a.addEventListener("message", count);
  a.addEventListener("message", { handleEvent: (event) => log.push(`object ${event.type}`) });
  a.addEventListener("message", () => log.push("once"), { once: true });
  a.onmessage = (event) => {
    log.push(["on", event.target === a, event instanceof MessageEvent]);
  };
  const heard = (text) =>
    new Promise((resolve) => {
      b.send(text);
      a.addEventListener("message", () => setTimeout(resolve, 0), { once: true });
    });
  await heard("one");
  a.removeEventListener("message", count);
  a.onmessage = null;
  await heard("two");
  return log;
}

async function client(room) {
  const out = {};
  const upgrade = { headers: { Upgrade: "websocket", "x-mine": "1" } };
  const response = await room.fetch("http://x/room/client?echo", upgrade);
  const socket = response.webSocket;
  out.response = [response.status, response.ok, response.body, socket === response.webSocket];
  out.headers = response.headers.get("x-room");
  out.socket = [socket.readyState, socket.url, socket.protocol, socket.extensions];
  socket.accept();
  const next = () =>
    new Promise((resolve) =>
      socket.addEventListener("message", ({ data }) => resolve(data), { once: true })
    );
  socket.send("hello");
  out.answer = await next();
  const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
  socket.close(1000, "end");
  const { code, reason, wasClean } = await closed;
  out.closed = [code, reason, wasClean];
  const fetched = (init) =>
    attemptAsync(async () => (await room.fetch("http://x/room/client?echo", init)).status);
  out["no upgrade"] = await fetched(undefined);
  out["another case"] = await fetched({ headers: { upgrade: "WebSocket" } });
  return out;
}

function echo() {
  const [client, server] = new WebSocketPair();
  server.accept();
  server.binaryType = "arraybuffer";
  server.addEventListener("message", ({ data }) => {
    if (data === "close") return server.close(4001, "as asked");
    if (data === "close without a code") return server.close();
    if (data === "throw") throw new Error("from a listener");
    server.send(data);
  });
  return new Response(null, { status: 101, webSocket: client });
}

/** Accepts sockets with accept(), and tells all of them what one says. */
export class Room extends DurableObject {
  sockets = new Map();

  fetch(request) {
    const [client, server] = new WebSocketPair();
    const url = new URL(request.url);
    const name = url.searchParams.get("name");
    server.accept();
    if (url.searchParams.has("echo")) {
      server.addEventListener("message", ({ data }) => {
        server.send(`${data} ${request.headers.get("x-mine")}`);
      });
    } else {
      this.sockets.set(name, server);
      server.addEventListener("message", ({ data }) => this.hear(name, data));
      server.addEventListener("close", ({ code, reason, wasClean }) => {
        this.sockets.delete(name);
        this.tell(`${name} left: ${code} ${reason} ${wasClean}`);
      });
      server.addEventListener("error", ({ message }) => {
        if (!this.sockets.delete(name)) return;
        this.tell(`${name} failed: ${message}`);
      });
    }
    return new Response(null, { status: 101, webSocket: client, headers: { "x-room": "a room" } });
  }

  hear(name, data) {
    if (data === "abort") this.ctx.abort("aborted by a message");
    if (data === "size") return this.tell(`${data.length}`);
    const count = (this.ctx.storage.kv.get("count") ?? 0) + 1;
    this.ctx.storage.kv.put("count", count);
    const said = typeof data === "string" && data.length > 100 ? data.length : data;
    this.tell(`${count} ${name}: ${said}`);
  }

  tell(text) {
    for (const socket of this.sockets.values()) socket.send(text);
  }
}

/** Hands requests for sockets on to a facet without looking at the answer. */
export class Supervisor extends DurableObject {
  fetch(request) {
    const facet = this.ctx.facets.get("room", () => ({ class: this.ctx.exports.Room }));
    if (new URL(request.url).searchParams.has("abort")) {
      this.ctx.facets.abort("room", new Error("aborted by its supervisor"));
      return new Response("aborted");
    }
    return facet.fetch(request);
  }
}
