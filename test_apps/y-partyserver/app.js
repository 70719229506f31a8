// y-partyserver: two Yjs documents that converge through a room, and the room's own copy, saved.

import { routePartykitRequest } from "partyserver";
import { YServer } from "y-partyserver";
import YProvider from "y-partyserver/provider";
import * as Y from "yjs";
import { socketClass } from "../partyserver/stub_socket.js";

export class Document extends YServer {
  static options = { hibernate: true };
  static callbackOptions = { debounceWait: 5, debounceMaxWait: 10 };

  async onStart() {
    this.ctx.storage.sql.exec(
      "CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY, data BLOB)",
    );
    return super.onStart();
  }

  async onLoad() {
    const rows = this.ctx.storage.sql.exec("SELECT data FROM state").toArray();
    if (rows.length > 0) Y.applyUpdate(this.document, new Uint8Array(rows[0].data));
  }

  async onSave() {
    const update = Y.encodeStateAsUpdate(this.document);
    this.ctx.storage.sql.exec("INSERT OR REPLACE INTO state VALUES (1, ?)", update);
  }

  /** What the server has, in memory and on disk. */
  async read() {
    await this.onSave();
    const saved = new Y.Doc();
    const { data } = this.ctx.storage.sql.exec("SELECT data FROM state").one();
    Y.applyUpdate(saved, new Uint8Array(data));
    return { memory: describe(this.document), disk: describe(saved) };
  }

  onCustomMessage(connection, message) {
    this.sendCustomMessage(connection, `heard ${message}`);
  }
}

function describe(doc) {
  const map = doc.getMap("map").toJSON();
  return { text: doc.getText("text").toString(), map, list: doc.getArray("list").toJSON() };
}

function open(env, name) {
  const doc = new Y.Doc();
  const WebSocketPolyfill = socketClass({
    fetch: (url, init) => routePartykitRequest(new Request(url, init), env),
  });
  const provider = new YProvider("app.example", name, doc, {
    party: "document",
    WebSocketPolyfill,
    disableBc: true,
    resyncInterval: -1,
  });
  const synced = new Promise((resolve) => provider.on("synced", (is) => is && resolve()));
  return { doc, provider, synced };
}

/** Waits until a condition holds, which an update or a message brings about. */
function until(doc, holds) {
  return new Promise((resolve) => {
    const check = () => {
      if (!holds()) return;
      doc.off("update", check);
      resolve();
    };
    doc.on("update", check);
    check();
  });
}

const tests = {
  async converge(env) {
    const [a, b] = [open(env, "shared"), open(env, "shared")];
    await Promise.all([a.synced, b.synced]);
    a.doc.getText("text").insert(0, "hello");
    a.doc.getMap("map").set("n", 1);
    await until(b.doc, () => b.doc.getMap("map").get("n") === 1);
    b.doc.transact(() => {
      b.doc.getText("text").insert(5, " world");
      b.doc.getArray("list").push([1, { two: 2 }, null]);
    });
    await until(a.doc, () => a.doc.getArray("list").length === 3);
    const heard = new Promise((resolve) => a.provider.on("custom-message", resolve));
    a.provider.sendMessage("a message");
    const late = open(env, "shared");
    await late.synced;
    const texts = [a, b, late].map(({ doc }) => doc.getText("text").toString());
    const states = [a, b, late].map(({ doc }) => JSON.stringify(describe(doc)));
    const server = await env.Document.getByName("shared").read();
    const result = {
      texts,
      same: new Set(states).size,
      state: JSON.parse(states[0]),
      server,
      heard: await heard,
    };
    for (const { provider } of [a, b, late]) provider.destroy();
    return result;
  },

  async reopen(env) {
    const { doc, provider, synced } = open(env, "shared");
    await synced;
    const text = doc.getText("text").toString();
    provider.destroy();
    return { text };
  },
};

export default {
  async fetch(request, env) {
    const test = tests[new URL(request.url).pathname.slice(1)];
    if (test === undefined) return new Response("no such path", { status: 404 });
    return Response.json(await test(env));
  },
};
