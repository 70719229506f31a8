// `ctx.storage`: values by key with promises, several keys at a time, and deleting everything.
import { DurableObject } from "cloudflare:workers";

async function outcome(run) {
  try {
    const value = await run();
    return value === undefined ? "undefined" : value;
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

/** What a call does at once: gives a promise, or throws. */
function atOnce(run) {
  try {
    const result = run();
    if (!(result instanceof Promise)) return typeof result;
    result.catch(() => {});
    return "promise";
  } catch (error) {
    return `throws ${error.name}: ${error.message}`;
  }
}

const entries = (map) => map instanceof Map ? [...map] : `no Map: ${map}`;
const keys = async (list) => [...(await list).keys()].join(",");

/** Each is given the storage of an object of its own. */
const routes = {
  "/values": (storage) => ({
    "none": () => storage.get("none"),
    "put gives nothing": () => storage.put("a", 1),
    "get": () => storage.get("a"),
    "replaced": async () => (await storage.put("a", "two"), storage.get("a")),
    "delete": async () => [
      await storage.delete("a"),
      await storage.delete("a"),
      await storage.get("a") ?? "gone",
    ],
    "seen at once": async () => {
      const put = storage.put("s", 1);
      const seen = storage.kv.get("s");
      await put;
      return seen;
    },
    "same table as kv": async () => {
      storage.kv.put("k", { a: [1] });
      return storage.get("k");
    },
    "copied at the call": async () => {
      const value = { count: 1 };
      const put = storage.put("c", value);
      value.count = 2;
      await put;
      return (await storage.get("c")).count;
    },
    "null": async () => (await storage.put("n", null), storage.get("n")),
    "undefined": () => storage.put("u", undefined),
    "nothing": () => storage.put("u"),
    "undefined inside": async () => {
      await storage.put("u", { a: undefined });
      return "a" in await storage.get("u");
    },
    "date": async () => {
      await storage.put("d", new Date(0));
      return (await storage.get("d")).toISOString();
    },
    "bytes": async () => {
      await storage.put("y", new Uint8Array([1, 2]));
      return [...await storage.get("y")];
    },
    "function": () => storage.put("f", () => {}),
    "symbol": () => storage.put("s", Symbol("s")),
    "number as key": async () => (await storage.put(7, "seven"), storage.get("7")),
    "empty key": async () => (await storage.put("", "empty"), storage.get("")),
    "no key": () => storage.get(),
    "null as key": () => storage.get(null),
    "no key to delete": () => storage.delete(),
    "long key": () => storage.put("k".repeat(2049), 1),
    "large value": async () => {
      await storage.put("l", "x".repeat(1 << 20));
      return (await storage.get("l")).length;
    },
  }),

  "/shapes": (storage) => ({
    "get": () => atOnce(() => storage.get("a")),
    "get without a key": () => atOnce(() => storage.get()),
    "put": () => atOnce(() => storage.put("a", 1)),
    "put undefined": () => atOnce(() => storage.put("a", undefined)),
    "put without arguments": () => atOnce(() => storage.put()),
    "put a number": () => atOnce(() => storage.put(5)),
    "put a function": () => atOnce(() => storage.put("f", () => {})),
    "list wrongly": () => atOnce(() => storage.list({ limit: 0 })),
    "delete": () => atOnce(() => storage.delete("a")),
    "sync": () => atOnce(() => storage.sync()),
    "synced": () => storage.sync(),
    "properties": () => ["get", "put", "delete", "list", "deleteAll", "sync", "transaction"]
      .map((name) => `${typeof storage[name]} ${Object.hasOwn(storage, name)}`).join(),
    "options": async () => {
      await storage.put("o", 1, { allowUnconfirmed: true, allowConcurrency: true, noCache: true });
      await storage.put({ p: 2, q: 3 }, { allowUnconfirmed: true });
      await storage.delete("q", { allowUnconfirmed: true });
      return [
        await storage.get("o", { allowConcurrency: true, noCache: true }),
        ...await storage.get(["p", "q"], { noCache: true }),
      ];
    },
    "options of other types": async () => {
      await storage.put("o", 5, { allowUnconfirmed: "yes", noCache: 1 });
      return storage.get("o", null);
    },
    "options that are no object": () => storage.get("o", 5),
    "order of promises": async () => {
      const order = [];
      const put = storage.put("a", 1).then(() => order.push("put"));
      Promise.resolve().then(() => order.push("microtask"));
      const get = storage.get("a").then(() => order.push("get"));
      await Promise.all([put, get]);
      return order.join();
    },
  }),

  "/several": (storage) => ({
    "put": () => storage.put({ b: 2, a: 1, c: { d: 4 } }),
    "get": async () => entries(await storage.get(["c", "a", "none", "a"])),
    "get none": async () => entries(await storage.get([])),
    "get in the order of bytes": async () => {
      await storage.put({ "\u00e9": 1, "z": 2, "\ud83d\ude00": 3, "\uffee": 4 });
      return entries(await storage.get(["\ud83d\ude00", "\uffee", "z", "\u00e9"]));
    },
    "undefined is left out": async () => {
      await storage.put({ x: undefined, y: 1 });
      return entries(await storage.get(["x", "y"]));
    },
    "put nothing": () => storage.put({}),
    "put an array": async () => {
      await storage.put(["zero"]);
      return storage.get("0");
    },
    "one that cannot be cloned": () => storage.put({ m: 1, n: () => {} }),
    "leaves the others out": async () => await storage.get("m") ?? "none",
    "put with three": () => storage.put({ a: 1 }, { noCache: true }, 5),
    "put with nothing as the second": () => storage.put({ v: 1 }, undefined, {}),
    "put with null options": () => storage.put({ v: 1 }, null),
    "put without arguments": () => storage.put(),
    "put a number": () => storage.put(5),
    "put an object as value": () => storage.put({ a: 1 }, "text"),
    "delete": () => storage.delete(["a", "b", "none"]),
    "delete the same twice": () => storage.delete(["c", "c"]),
    "delete none": () => storage.delete([]),
    "keys of other types": async () => {
      await storage.put({ 1: "one" });
      return entries(await storage.get([1]));
    },
    "many": async () => {
      const many = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`many${n}`, n]));
      await storage.put(many);
      return [(await storage.get(Object.keys(many))).size, await storage.delete(Object.keys(many))];
    },
  }),

  "/lists": async (storage) => {
    for (const key of ["b", "a1", "a2", "a3", "c", "B", "\u00e9"]) {
      await storage.put(key, key.toUpperCase());
    }
    return {
      "all": async () => entries(await storage.list()),
      "prefix": () => keys(storage.list({ prefix: "a" })),
      "empty prefix": () => keys(storage.list({ prefix: "" })),
      "no match": () => keys(storage.list({ prefix: "zz" })),
      "start": () => keys(storage.list({ start: "a2" })),
      "startAfter": () => keys(storage.list({ startAfter: "a2" })),
      "end": () => keys(storage.list({ end: "b" })),
      "end before start": () => keys(storage.list({ start: "b", end: "a" })),
      "start and end": () => keys(storage.list({ start: "a2", end: "c" })),
      "limit": () => keys(storage.list({ limit: 2 })),
      "reverse": () => keys(storage.list({ reverse: true })),
      "reverse limit": () => keys(storage.list({ reverse: true, limit: 2 })),
      "all together": () =>
        keys(storage.list({ prefix: "a", startAfter: "a1", end: "a9", limit: 1, reverse: true })),
      "other options": () =>
        keys(storage.list({ noCache: true, allowConcurrency: true, limit: 1 })),
      "start and startAfter": () => keys(storage.list({ start: "a", startAfter: "a" })),
      "limit of none": () => keys(storage.list({ limit: 0 })),
      "negative limit": () => keys(storage.list({ limit: -1 })),
      "limit of text": () => keys(storage.list({ limit: "2" })),
      "limit that is broken": () => keys(storage.list({ limit: 1.7 })),
      "limit that is null": () => keys(storage.list({ limit: null })),
    "limit that is no number": () => keys(storage.list({ limit: "x" })),
      "null options": () => keys(storage.list({ start: null, limit: undefined })),
      "kv.list() ends": async () => {
        const list = storage.kv.list();
        list.next();
        await storage.list();
        return list.next().done;
      },
    };
  },

  "/deleteAll": (storage) => ({
    "before": async () => {
      storage.sql.exec("CREATE TABLE t (a); CREATE INDEX i ON t (a); INSERT INTO t VALUES (1)");
      storage.sql.exec("CREATE VIRTUAL TABLE f USING fts5(text)");
      storage.sql.exec("INSERT INTO f VALUES ('hello world')");
      await storage.put({ a: 1, b: 2 });
      return (await storage.list()).size;
    },
    "open cursor": async () => {
      const cursor = storage.sql.exec("SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3");
      cursor.next();
      await storage.deleteAll();
      return cursor.toArray().length;
    },
    "keys": async () => (await storage.list()).size,
    "tables": () => storage.sql.exec("SELECT count(*) AS n FROM sqlite_master").one().n,
    "no table": () => storage.sql.exec("SELECT * FROM t").toArray(),
    "again": () => storage.deleteAll(),
    "with options": () => storage.deleteAll({ allowUnconfirmed: true, noCache: true }),
    "works afterwards": async () => {
      await storage.put("c", 3);
      storage.sql.exec("CREATE TABLE t (a); INSERT INTO t VALUES (2)");
      return [entries(await storage.list()), storage.sql.exec("SELECT a FROM t").one().a];
    },
    "takes what is not committed": async () => {
      storage.kv.put("lost", 1);
      await storage.deleteAll();
      storage.kv.put("kept", 1);
      return keys(storage.list());
    },
    "in a transaction": () => storage.transaction((txn) => txn.deleteAll()),
    "in a transaction by storage": () => storage.transaction(() => storage.deleteAll()),
  }),

  "/too-large": (storage) => ({
    "alone": () => storage.put("a", new Uint8Array(5 << 20)),
    "with others": () => storage.put({ m: 1, n: new Uint8Array(5 << 20) }),
    "left out": async () => (await storage.list()).size,
  }),

  "/deleteAll-in-transactionSync": (storage) => ({
    "refused": async () => {
      storage.kv.put("a", 1);
      return storage.transactionSync(() => storage.deleteAll());
    },
    "nothing is lost": () => storage.kv.get("a"),
  }),

  "/kept": (storage) => ({
    "visits": async () => {
      await storage.put("visits", (await storage.get("visits") ?? 0) + 1);
      return storage.get("visits");
    },
  }),

  "/gone": (storage) => ({
    "before": async () => await storage.get("visits") ?? "none",
    "deleteAll": async () => {
      await storage.put("visits", 1);
      await storage.sync();
      await storage.deleteAll();
      return "done";
    },
  }),
};

/** Counts, as a facet of a store. */
export class Child extends DurableObject {
  async count() {
    const n = (await this.ctx.storage.get("n") ?? 0) + 1;
    await this.ctx.storage.put("n", n);
    return n;
  }

  grandchild() {
    return this.ctx.facets.get("grandchild", () => ({ class: this.ctx.exports.Child })).count();
  }
}

export class Store extends DurableObject {
  /** What is left of facets after `deleteAll()`. */
  async facets(mode) {
    const { ctx } = this;
    const child = () => ctx.facets.get("child", () => ({ class: ctx.exports.Child }));
    if (mode === "count") return [await child().count(), await child().grandchild()];
    const before = child();
    await before.count();
    await before.grandchild();
    if (mode === "abort") ctx.facets.abort("child", new Error("for a while"));
    await ctx.storage.deleteAll();
    const old = await outcome(() => before.count());
    return { old, counts: [await child().count(), await child().grandchild()] };
  }

  async run(path) {
    const results = {};
    for (const [name, run] of Object.entries(await routes[path](this.ctx.storage))) {
      results[name] = await outcome(run);
    }
    return results;
  }
}

export default {
  async fetch(request, _env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/facets/")) {
      const { 2: mode, 3: name } = pathname.split("/");
      return Response.json(await ctx.exports.Store.getByName(name).facets(mode));
    }
    if (routes[pathname] === undefined) return new Response("no such path", { status: 404 });
    return Response.json(await ctx.exports.Store.getByName(pathname).run(pathname));
  },
};
