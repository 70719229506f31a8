// PartyServer with PartySocket: rooms, broadcasts, state and tags of connections, hibernation.

import { getServerByName, routePartykitRequest, Server } from "partyserver";
import { PartySocket } from "partysocket";
import { socketClass } from "./stub_socket.js";

class Room extends Server {
  log = [];

  async onStart() {
    this.starts = (await this.ctx.storage.get("starts") ?? 0) + 1;
    await this.ctx.storage.put("starts", this.starts);
  }

  getConnectionTags(connection, { request }) {
    return [new URL(request.url).searchParams.get("team") ?? "none"];
  }

  onConnect(connection, { request }) {
    const name = new URL(request.url).searchParams.get("name");
    connection.setState({ name, messages: 0 });
    connection.send(JSON.stringify({ welcome: name, room: this.name, starts: this.starts }));
    this.broadcast(JSON.stringify({ joined: name }), [connection.id]);
  }

  onMessage(connection, message) {
    if (typeof message !== "string") {
      connection.send(new Uint8Array(message).reverse());
      return;
    }
    if (message === "fail") throw new Error("on purpose");
    if (message === "bye") return connection.close(4000, "as asked");
    connection.setState(({ name, messages }) => ({ name, messages: messages + 1 }));
    if (message.startsWith("team ")) {
      const [, team, text] = message.split(" ");
      for (const other of this.getConnections(team)) other.send(JSON.stringify({ team, text }));
      return;
    }
    this.broadcast(
      JSON.stringify({ from: connection.state.name, count: connection.state.messages, message }),
    );
  }

  onClose(connection, code, reason) {
    this.broadcast(JSON.stringify({ left: connection.state?.name, code, reason }));
  }

  onError(connection, error) {
    this.broadcast(JSON.stringify({ error: error.message }));
  }

  onRequest(request) {
    const names = [...this.getConnections()].map(({ state }) => state.name).sort();
    return Response.json({ method: request.method, room: this.name, names });
  }

  greet(text) {
    return `${text} from ${this.name}`;
  }
}

export class Chat extends Room {}

export class Sleepy extends Room {
  static options = { hibernate: true };
}

/** A client that remembers what it got, and waits for the next message. */
function client(env, ctx, room, party, query) {
  let isFirst = true;
  const fetch = (url, init) => {
    // PartySocket connects again by itself, which is not what is tested.
    if (!isFirst) throw new Error("it stays closed");
    isFirst = false;
    return route(new Request(url, init), env);
  };
  const WebSocket = socketClass({ fetch });
  const socket = new PartySocket({
    host: "app.example",
    party,
    room,
    query,
    WebSocket,
    id: query.name,
    maxRetries: 1,
  });
  socket.binaryType = "arraybuffer";
  const got = [];
  let wake = () => {};
  socket.addEventListener("message", ({ data }) => {
    got.push(typeof data === "string" ? JSON.parse(data) : [...new Uint8Array(data)]);
    wake();
  });
  socket.addEventListener("close", ({ code, reason }) => {
    if (code !== 1006) got.push({ closed: code, reason });
    wake();
  });
  const until = async (n) => {
    while (got.length < n) await new Promise((resolve) => wake = resolve);
    return got.slice(0, n);
  };
  return { socket, until };
}

function route(request, env) {
  return routePartykitRequest(request, env, {
    onBeforeConnect: (request) =>
      new URL(request.url).searchParams.has("refuse")
        ? new Response("refused", { status: 403 })
        : undefined,
  });
}

async function play(env, ctx, party) {
  const ann = client(env, ctx, "lobby", party, { name: "ann", team: "red" });
  await ann.until(1);
  const bob = client(env, ctx, "lobby", party, { name: "bob", team: "blue" });
  await bob.until(1);
  await ann.until(2);
  ann.socket.send("hello");
  await Promise.all([ann.until(3), bob.until(2)]);
  bob.socket.send("team red quietly");
  await ann.until(4);
  bob.socket.send(new Uint8Array([1, 2, 3]));
  await bob.until(3);
  const asked = await route(new Request(`http://app.example/parties/${party}/lobby`), env);
  const present = await asked.json();
  bob.socket.send("bye");
  await Promise.all([bob.until(4), ann.until(5)]);
  ann.socket.close();
  return { ann: await ann.until(6), bob: await bob.until(4), present };
}

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === "/play") {
      return Response.json({
        chat: await play(env, ctx, "chat"),
        sleepy: await play(env, ctx, "sleepy"),
      });
    }
    if (pathname === "/stub") {
      const stub = await getServerByName(env.Chat, "named");
      const refused = await route(
        new Request("http://app.example/parties/chat/x?refuse", {
          headers: { upgrade: "websocket" },
        }),
        env,
      );
      return Response.json({
        greeting: await stub.greet("hi"),
        refused: [refused.status, await refused.text()],
      });
    }
    return await route(request, env) ?? new Response("Not found", { status: 404 });
  },
};
