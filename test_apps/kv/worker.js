// `ctx.storage.kv`: synchronous values by key, kept over restarts.
import { DurableObject } from "cloudflare:workers";

function outcome(run) {
  try {
    const value = run();
    return value === undefined ? "undefined" : value;
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

const keys = (list) => [...list].map(([key]) => key).join(",");

/** Each is given the storage of an object of its own. */
const routes = {
  "/values": ({ kv }) => ({
    "none": () => kv.get("none"),
    "put gives nothing": () => kv.put("a", 1),
    "get": () => kv.get("a"),
    "replaced": () => (kv.put("a", "two"), kv.get("a")),
    "delete": () => [kv.delete("a"), kv.delete("a"), kv.get("a") ?? "gone"],
    "object": () => (kv.put("o", { a: [1, null, { b: "c" }] }), kv.get("o")),
    "undefined inside": () => (kv.put("u", { a: undefined }), "a" in kv.get("u")),
    "null": () => (kv.put("n", null), kv.get("n")),
    "map": () => (kv.put("m", new Map([["k", new Set([1])]])), [...kv.get("m").get("k")]),
    "date": () => (kv.put("d", new Date(0)), kv.get("d").toISOString()),
    "bigint": () => (kv.put("b", 2n ** 65n), `${kv.get("b")}`),
    "bytes": () => (kv.put("y", new Uint8Array([1, 2])), [...kv.get("y")]),
    "copy": () => {
      const value = { count: 1 };
      kv.put("c", value);
      value.count = 2;
      return [kv.get("c").count, kv.get("c") === kv.get("c")];
    },
    "empty key": () => (kv.put("", "empty"), kv.get("")),
    "any text is a key": () => (kv.put("\u00e4 \u2603", 1), kv.get("\u00e4 \u2603")),
    "number as key": () => (kv.put(7, "seven"), kv.get("7")),
    "function": () => kv.put("f", () => {}),
    "symbol": () => kv.put("s", Symbol("s")),
    "instance": () => kv.put("i", new (class Point {})()),
    "nothing was put": () => [kv.get("f") ?? "none", kv.get("s") ?? "none"],
    "long key": () => kv.put("k".repeat(2049), 1),
    "large value": () => (kv.put("l", "x".repeat(1 << 20)), kv.get("l").length),
    "too large value": () => kv.put("t", "x".repeat(3 << 20)),
  }),

  "/lists": ({ kv }) => {
    for (const key of ["b", "a1", "a2", "a3", "c", "B", "\u00e9"]) kv.put(key, key.toUpperCase());
    return {
      "all": () => [...kv.list()],
      "prefix": () => keys(kv.list({ prefix: "a" })),
      "no match": () => keys(kv.list({ prefix: "zz" })),
      "start": () => keys(kv.list({ start: "a2" })),
      "startAfter": () => keys(kv.list({ startAfter: "a2" })),
      "end": () => keys(kv.list({ end: "b" })),
      "start and end": () => keys(kv.list({ start: "a2", end: "c" })),
      "limit": () => keys(kv.list({ limit: 2 })),
      "reverse": () => keys(kv.list({ reverse: true })),
      "reverse limit": () => keys(kv.list({ reverse: true, limit: 2 })),
      "all together": () =>
        keys(kv.list({ prefix: "a", startAfter: "a1", end: "a9", limit: 1, reverse: true })),
      "start and startAfter": () => keys(kv.list({ start: "a", startAfter: "a" })),
      "limit of none": () => keys(kv.list({ limit: 0 })),
      "negative limit": () => keys(kv.list({ limit: -1 })),
      "has next": () => typeof kv.list().next,
      "first": () => kv.list().next(),
      "end of list": () => kv.list({ prefix: "zz" }).next().done,
    };
  },

  "/transaction": (storage) => ({
    "result": () => storage.transactionSync(() => {
      storage.kv.put("a", 1);
      return "done";
    }),
    "kept": () => storage.kv.get("a"),
    "throws": () => storage.transactionSync(() => {
      storage.kv.put("a", 2);
      storage.kv.put("b", 2);
      throw new RangeError("taken back");
    }),
    "taken back": () => [storage.kv.get("a"), storage.kv.get("b") ?? "none"],
    "nested": () => storage.transactionSync(() => {
      storage.kv.put("a", 3);
      try {
        storage.transactionSync(() => {
          storage.kv.put("a", 4);
          throw new Error("inner");
        });
      } catch {
        // Only the inner writes are gone.
      }
      return storage.kv.get("a");
    }),
    "seen by SQL": () =>
      storage.sql.exec("SELECT count(*) AS n FROM sqlite_master WHERE name LIKE '_cf%'").one().n,
  }),

  "/kept": ({ kv }) => ({
    "visits": () => {
      kv.put("visits", (kv.get("visits") ?? 0) + 1);
      return kv.get("visits");
    },
  }),
};

export class Store extends DurableObject {
  run(path) {
    const results = {};
    for (const [name, run] of Object.entries(routes[path](this.ctx.storage))) {
      results[name] = outcome(run);
    }
    return results;
  }
}

export default {
  async fetch(request, _env, ctx) {
    const { pathname } = new URL(request.url);
    if (routes[pathname] === undefined) return new Response("no such path", { status: 404 });
    return Response.json(await ctx.exports.Store.getByName(pathname).run(pathname));
  },
};
