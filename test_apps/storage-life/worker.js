// The life of an object's storage: what is seen when, what an error takes back and what not.
import { DurableObject } from "cloudflare:workers";

async function outcome(run) {
  try {
    const value = await run();
    return value === undefined ? "undefined" : value;
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

/** Each is given the storage of an object of its own. */
const routes = {
  // Asynchronous calls have happened when they return (ST-3); one table for both (ST-11).
  "/at-once": (storage) => ({
    "put is seen by sql": () => {
      storage.put("a", 1);
      const query = "SELECT count(*) AS n FROM sqlite_master WHERE name = '_cf_KV'";
      return storage.sql.exec(query).one().n;
    },
    "put is seen by kv": () => (storage.put("b", 2), storage.kv.get("b")),
    "delete is seen by get": () => (storage.delete("b"), storage.get("b")),
    "kv is seen by list": async () => (storage.kv.put("c", 3), [...(await storage.list()).keys()]),
    "order of calls": async () => {
      const got = [];
      await Promise.all([
        storage.put("o", 1).then(() => got.push("put")),
        storage.get("o").then((value) => got.push(value)),
        storage.put("o", 2).then(() => got.push("again")),
        storage.get("o").then((value) => got.push(value)),
      ]);
      return got;
    },
    "put(entries) is all or nothing": async () => {
      const failed = await outcome(() => storage.put({ x: 1, y: Symbol("no"), z: 2 }));
      return [failed, (await storage.get(["x", "z"])).size];
    },
  }),

  // System tables come with the first write, and go with its rollback (ST-5, ST-42).
  "/tables": (storage) => {
    const tables = () =>
      storage.sql.exec("SELECT name FROM sqlite_master ORDER BY name").raw().toArray().flat();
    return {
      "none before": tables,
      "reading makes none": () => [storage.kv.get("a") ?? "none", [...storage.kv.list()], tables()],
      "gone with the rollback": () => {
        outcome(() => storage.transactionSync(() => {
          storage.kv.put("a", 1);
          throw new Error("back");
        }));
        return tables();
      },
      "works afterwards": () => (storage.kv.put("a", 2), [storage.kv.get("a"), tables()]),
      "with an alarm taken back": async () => {
        await outcome(() => storage.transaction(async () => {
          await storage.setAlarm(Date.now() + 1e9);
          throw new Error("back");
        }));
        return [await storage.getAlarm(), tables()];
      },
      "alarm afterwards": async () => {
        await storage.setAlarm(Date.now() + 1e9);
        const set = await storage.getAlarm() > Date.now();
        await storage.deleteAlarm();
        return [set, await storage.getAlarm()];
      },
    };
  },

  // `put(key, undefined)` of kv (ST-12), and one live list at a time (ST-13).
  "/lists": ({ kv, list }) => ({
    "undefined": () => (kv.put("u", undefined), [kv.get("u") ?? "undefined", kv.delete("u")]),
    "several keys": () => kv.get(["a", "b"]) ?? "none",
    "a second list ends the first": async () => {
      for (const key of ["a", "b", "c"]) kv.put(key, key);
      const first = kv.list();
      const before = first.next().value[0];
      const second = [...kv.list()].length;
      return [before, second, await outcome(() => first.next())];
    },
    "writing while listing": () => {
      const seen = [];
      for (const [key] of kv.list()) {
        seen.push(key);
        kv.put("seen " + key, 1);
        if (seen.length > 20) break;
      }
      return seen.length >= 3;
    },
    "deleting while listing": () => {
      for (const [key] of kv.list()) kv.delete(key);
      return [...kv.list()].length;
    },
  }),

  // Eager, lazy, cached: ST-15, ST-19, ST-21, ST-24.
  "/cursors": ({ sql }) => {
    sql.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v)");
    sql.exec("INSERT INTO t (v) VALUES ('a'), ('b'), ('c')");
    const count = () => sql.exec("SELECT count(*) AS n FROM t").one().n;
    const select = () => sql.exec("SELECT id, v FROM t ORDER BY id");
    return {
      "an insert runs without being read": () => {
        sql.exec("INSERT INTO t (v) VALUES ('d')");
        return count();
      },
      "returning": () =>
        [sql.exec("INSERT INTO t (v) VALUES ('e'), ('f') RETURNING id").toArray().length, count()],
      "an error of the first row": () => outcome(() => sql.exec("SELECT json('nonsense')")),
      "an error of a later row": async () => {
        const cursor = sql.exec("SELECT json(value) AS j FROM json_each('[\"1\", \"no\"]')");
        return outcome(() => cursor.next());
      },
      "mixed": () => {
        const cursor = select();
        const raw = cursor.raw();
        const first = [cursor.next().value.id, raw.next().value];
        return [...first, cursor.next().value.id, cursor.raw().toArray().length];
      },
      "the same text while it is open": () => {
        const [first, second] = [select(), select()];
        return [first, second, second, first].map((cursor) => cursor.next().value.id);
      },
      "over an await": async () => {
        const cursor = select();
        const first = cursor.next().value.v;
        await turn();
        sql.exec("UPDATE t SET v = v || '!' WHERE id > 2");
        await turn();
        return [first, ...cursor.toArray().map(({ v }) => v)];
      },
      "names after a change of the table": () => {
        const before = sql.exec("SELECT * FROM t LIMIT 1").columnNames;
        sql.exec("ALTER TABLE t ADD COLUMN w DEFAULT 7");
        const after = sql.exec("SELECT * FROM t LIMIT 1");
        return [before, after.columnNames, after.one().w];
      },
      "no columns": () => sql.exec("INSERT INTO t (v) VALUES ('g')").columnNames,
      "duplicates": () => {
        const cursor = sql.exec("SELECT 1 AS a, 2 AS a, 3 AS b");
        return [cursor.columnNames, cursor.one()];
      },
      "statements before a failing one": async () => {
        const before = count();
        const query = "INSERT INTO t (v) VALUES ('h'); INSERT INTO nope VALUES (1)";
        const failed = await outcome(() => sql.exec(query));
        return [failed, count() - before];
      },
      "parameters before the last": () => sql.exec("SELECT ?; SELECT 1", 1).toArray(),
    };
  },

  // An exception takes nothing back (ST-36); sync() waits for what was written before (ST-37).
  "/exceptions": (storage) => ({
    "written before an error": async () => {
      await outcome(() => {
        storage.kv.put("kept", 1);
        throw new Error("thrown");
      });
      await turn();
      return storage.kv.get("kept");
    },
    "sync": async () => (storage.kv.put("synced", 1), await storage.sync() ?? "synced"),
    "sync of nothing": async () => await storage.sync() ?? "synced",
    "sync of unconfirmed writes": async () => {
      const put = storage.put("u", 1, { allowUnconfirmed: true });
      await storage.sync();
      await put;
      return storage.get("u");
    },
  }),
};

export class Store extends DurableObject {
  alarm() {}

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
    return Response.json(await ctx.exports.Store.getByName(pathname).run(pathname));
  },
};
