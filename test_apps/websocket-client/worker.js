// WebSockets to a server elsewhere: new WebSocket(url), and fetch() with "Upgrade: websocket".

import { DurableObject } from "cloudflare:workers";

/** What is said on a socket, up to its close event or so many messages. */
function heard(socket, count = Infinity) {
  const events = [];
  return new Promise((resolve) => {
    socket.addEventListener("open", () => events.push(["open", socket.readyState]));
    socket.addEventListener("message", ({ data }) => {
      events.push(typeof data === "string" ? data : [...new Uint8Array(data)]);
      if (--count === 0) resolve(events);
    });
    socket.addEventListener("error", (event) => events.push(["error", event.message]));
    socket.addEventListener("close", ({ code, reason, wasClean }) => {
      events.push(["close", code, reason, wasClean]);
      resolve(events);
    });
  });
}

function opened(socket) {
  return new Promise((resolve) => socket.addEventListener("open", resolve));
}

function attempt(f) {
  try {
    return f();
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

const tests = {
  async conversation(at) {
    const socket = new WebSocket(at("/echo?a=b"));
    socket.binaryType = "arraybuffer";
    const states = [socket.readyState];
    const events = heard(socket);
    const before = attempt(() => socket.send("too early"));
    const accept = attempt(() => socket.accept());
    await opened(socket);
    states.push(socket.readyState);
    socket.send("hello \u00e9");
    socket.send(new Uint8Array([1, 2, 3]));
    socket.send("");
    socket.send("headers");
    socket.send("close me");
    const list = await events;
    states.push(socket.readyState);
    const after = attempt(() => socket.send("late"));
    return {
      before, accept, states, list, after,
      url: socket.url === at("/echo?a=b"),
      protocol: socket.protocol,
      extensions: socket.extensions,
    };
  },

  async protocols(at) {
    const socket = new WebSocket(at("/chosen"), ["a", "b"]);
    const early = [socket.protocol, socket.extensions];
    await opened(socket);
    const chosen = [socket.protocol, socket.extensions];
    const events = heard(socket, 1);
    socket.send("headers");
    return { early, chosen, events: await events };
  },

  async closed(at) {
    const socket = new WebSocket(at("/echo"));
    await opened(socket);
    const events = heard(socket);
    socket.close(4002, "enough");
    const state = socket.readyState;
    return { state, events: await events, after: socket.readyState };
  },

  async early(at) {
    const socket = new WebSocket(at("/echo"));
    const events = heard(socket);
    socket.close();
    return { events: await events, state: socket.readyState };
  },

  async refused(at) {
    const plain = new WebSocket(at("/plain"));
    const list = await heard(plain);
    const moved = await heard(new WebSocket(at("/moved")));
    return { list, moved, state: plain.readyState };
  },

  async large(at) {
    const socket = new WebSocket(at("/echo"));
    await opened(socket);
    const sizes = [];
    for (const size of [125, 126, 65_535, 65_536, 1_000_000]) {
      const answer = heard(socket, 1);
      socket.send("x".repeat(size));
      sizes.push((await answer)[0].length);
    }
    return { sizes };
  },

  async many(at) {
    const socket = new WebSocket(at("/echo"));
    await opened(socket);
    const answers = heard(socket, 100);
    socket.send("many");
    const list = await answers;
    return { ordered: list.every((text, index) => text === `${index}`) };
  },

  async fetched(at) {
    const headers = { Upgrade: "websocket", "x-own": "1", "sec-websocket-protocol": "b" };
    const response = await fetch(at("/chosen").replace("ws", "http"), { headers });
    const { status, statusText, webSocket: socket } = response;
    const body = response.body;
    const before = attempt(() => socket.send("too early"));
    socket.accept();
    const events = heard(socket, 1);
    socket.send("headers");
    return {
      status, statusText, body, before,
      server: response.headers.get("x-server"),
      protocol: response.headers.get("sec-websocket-protocol"),
      events: await events,
      state: socket.readyState,
    };
  },

  async declined(at) {
    const headers = { Upgrade: "websocket" };
    const response = await fetch(at("/plain").replace("ws", "http"), { headers });
    return {
      status: response.status,
      socket: response.webSocket,
      text: await response.text(),
    };
  },

  async lost(at) {
    const socket = new WebSocket(at("/rude"));
    await opened(socket);
    const events = heard(socket);
    socket.send("go");
    return { events: await events };
  },

  async object(_at, ctx, upstream) {
    return ctx.exports.Caller.getByName("a").talk(`${upstream}/echo`);
  },
};

/** A connection of an object: its events are the object's. */
export class Caller extends DurableObject {
  async talk(url) {
    if (this.socket === undefined) {
      this.socket = new WebSocket(url);
      await opened(this.socket);
    }
    this.ctx.storage.kv.put("sent", 1);
    const events = heard(this.socket, 2);
    this.socket.send("one");
    this.socket.send("two");
    return { events: await events };
  }
}

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === "/relay") {
      // What comes from elsewhere is handed to the client as it is.
      return fetch(`${env.UPSTREAM}/chosen`, request);
    }
    const name = pathname.slice(1);
    if (tests[name] === undefined) return new Response("not found", { status: 404 });
    const upstream = env.UPSTREAM.replace("http", "ws");
    return Response.json(await tests[name]((path) => `${upstream}${path}`, ctx, upstream));
  },
};
