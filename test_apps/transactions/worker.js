// Transactions: `transaction()`, `transactionSync()`, and what is left after errors and resets.
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

/** Random numbers that are the same everywhere. */
function seeded(seed) {
  return (limit) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * limit);
  };
}

/** Random calls give what a map with copies gives; transactions nest, fail and roll back. */
class Model {
  constructor(storage, seed) {
    this.storage = storage;
    this.random = seeded(seed);
    this.map = new Map();
    this.operations = 0;
    this.problems = [];
  }

  key() {
    return `${"abc"[this.random(3)]}${this.random(5)}`;
  }

  keys() {
    return Array.from({ length: this.random(4) }, () => this.key());
  }

  compare(what, found, expected) {
    const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
    if (a !== b && this.problems.length < 5) {
      this.problems.push(`${this.operations}: ${what} gave ${a}, not ${b}`);
    }
  }

  sorted(keys) {
    return [...new Set(keys)].filter((key) => this.map.has(key)).sort()
      .map((key) => [key, this.map.get(key)]);
  }

  async operate(at) {
    this.operations++;
    const value = this.operations;
    switch (this.random(8)) {
      case 0:
      case 1: {
        const key = this.key();
        await at.put(key, value);
        this.map.set(key, value);
        return;
      }
      case 2: {
        const entries = Object.fromEntries(this.keys().map((key) => [key, value]));
        await at.put(entries);
        for (const key in entries) this.map.set(key, value);
        return;
      }
      case 3: {
        const key = this.key();
        return this.compare("delete", await at.delete(key), this.map.delete(key));
      }
      case 4: {
        const keys = this.keys();
        const count = keys.filter((key) => this.map.delete(key)).length;
        return this.compare("delete many", await at.delete(keys), count);
      }
      case 5: {
        const key = this.key();
        return this.compare("get", await at.get(key), this.map.get(key));
      }
      case 6: {
        const keys = this.keys();
        return this.compare("get many", [...await at.get(keys)], this.sorted(keys));
      }
      default: {
        const prefix = "abc"[this.random(3)];
        const [limit, reverse] = [1 + this.random(6), this.random(2) === 0];
        const all = this.sorted(this.map.keys()).filter(([key]) => key.startsWith(prefix));
        if (reverse) all.reverse();
        const found = await at.list({ prefix, limit, reverse });
        return this.compare("list", [...found], all.slice(0, limit));
      }
    }
  }

  async transact(depth) {
    const before = new Map(this.map);
    const end = this.random(4);
    await this.storage.transaction(async (txn) => {
      for (let n = this.random(6); n > 0; n--) {
        if (depth < 3 && this.random(4) === 0) await this.transact(depth + 1);
        await this.operate(this.random(2) === 0 ? txn : this.storage);
        if (this.random(20) === 0) await turn();
      }
      if (end === 0) throw new Error("taken back");
      if (end === 1) txn.rollback();
    }).catch((error) => this.compare("transaction", error.message, "taken back"));
    if (end < 2) this.map = before;
  }

  async run(operations) {
    while (this.operations < operations) {
      if (this.random(4) === 0) await this.transact(0);
      else await this.operate(this.storage);
    }
    this.compare("everything", [...await this.storage.list()], this.sorted(this.map.keys()));
    return { enough: this.operations >= operations, problems: this.problems };
  }
}

/** Each is given the storage of an object of its own. */
const routes = {
  "/model": (storage) => ({
    "seed 1": () => new Model(storage, 1).run(3000),
    "cleared": () => storage.deleteAll(),
    "seed 2": () => new Model(storage, 2).run(3000),
  }),

  "/results": (storage) => ({
    "value": () => storage.transaction(async (txn) => {
      await txn.put("a", 1);
      return "done";
    }),
    "kept": () => storage.get("a"),
    "callback that is not async": () => storage.transaction(() => 5),
    "no callback": () => storage.transaction(),
    "callback that is no function": () => storage.transaction(5),
    "throws": () => storage.transaction(async (txn) => {
      await txn.put("a", 2);
      await txn.put("b", 2);
      throw new RangeError("taken back");
    }),
    "throws at once": () => storage.transaction((txn) => {
      txn.put("a", 3);
      throw new TypeError("at once");
    }),
    "throws no error": () => storage.transaction(() => {
      throw "text";
    }).catch((error) => `caught ${error}`),
    "same error": async () => {
      const error = new Error("the same");
      return await storage.transaction(() => { throw error; }).catch((e) => e === error);
    },
    "taken back": async () => [await storage.get("a"), await storage.get("b") ?? "none"],
    "all ways are in it": async () => {
      await storage.transaction(async (txn) => {
        await txn.put("x", 1);
        await storage.put("y", 1);
        storage.kv.put("z", 1);
        storage.sql.exec("CREATE TABLE t (a)");
        await turn();
        storage.sql.exec("INSERT INTO t VALUES (1)");
        throw new Error("no");
      }).catch(() => {});
      return [
        (await storage.get(["x", "y", "z"])).size,
        storage.sql.exec("SELECT count(*) AS n FROM sqlite_master WHERE name = 't'").one().n,
      ];
    },
    "over turns": async () => {
      await storage.transaction(async (txn) => {
        await txn.put("x", 1);
        await turn();
        await txn.put("y", await txn.get("x") + 1);
      });
      return [...await storage.get(["x", "y"])];
    },
    "txn": () => storage.transaction(async (txn) => {
      const names = ["get", "put", "delete", "list", "rollback", "getAlarm", "setAlarm",
        "deleteAlarm", "deleteAll", "sync", "transaction", "sql", "kv"];
      return names.filter((name) => txn[name] !== undefined).join();
    }),
    "type": () => storage.transaction(async (txn) => txn.constructor.name),
    "several": () => storage.transaction(async (txn) => {
      await txn.put({ k1: 1, k2: 2 });
      const all = [...await txn.list({ prefix: "k" })];
      const got = [...await txn.get(["k2", "k1"])];
      return [all, got, await txn.delete(["k1", "none"]), await txn.delete("k2")];
    }),
    "called at once": async () => {
      const order = [];
      const done = storage.transaction(async () => order.push("in"));
      order.push("after");
      await Promise.resolve();
      await Promise.resolve();
      order.push("microtasks");
      await done;
      return order.join();
    },
    "write before it": async () => {
      storage.kv.put("before", 1);
      await storage.transaction(() => { throw new Error("no"); }).catch(() => {});
      return storage.kv.get("before");
    },
  }),

  "/rollback": (storage) => ({
    "gives nothing": () => storage.transaction(async (txn) => {
      await txn.put("a", 1);
      return txn.rollback() ?? "undefined";
    }),
    "taken back": async () => await storage.get("a") ?? "none",
    "get": () => storage.transaction(async (txn) => {
      txn.rollback();
      return txn.get("a");
    }),
    "put": () => storage.transaction(async (txn) => {
      txn.rollback();
      return txn.put("a", 1);
    }),
    "list": () => storage.transaction(async (txn) => {
      txn.rollback();
      return txn.list();
    }),
    "delete": () => storage.transaction(async (txn) => {
      txn.rollback();
      return txn.delete("a");
    }),
    "deleteAll": () => storage.transaction(async (txn) => {
      txn.rollback();
      return txn.deleteAll();
    }),
    "twice": () => storage.transaction(async (txn) => {
      txn.rollback();
      txn.rollback();
      return "done";
    }),
    "by storage afterwards": () => storage.transaction(async (txn) => {
      await txn.put("a", 1);
      txn.rollback();
      await storage.put("b", 1);
      return [await storage.get("a") ?? "none", await storage.get("b")];
    }),
    "stays": async () => await storage.get("b") ?? "none",
    "later": async () => {
      let kept;
      await storage.transaction(async (txn) => {
        kept = txn;
      });
      return kept.get("a");
    },
    "later rollback": async () => {
      let kept;
      await storage.transaction(async (txn) => {
        kept = txn;
      });
      return kept.rollback();
    },
    "later deleteAll": async () => {
      let kept;
      await storage.transaction(async (txn) => {
        kept = txn;
      });
      return kept.deleteAll();
    },
    "after a throw": async () => {
      let kept;
      await storage.transaction(async (txn) => {
        kept = txn;
        throw new Error("no");
      }).catch(() => {});
      return kept.get("a");
    },
  }),

  "/nested": (storage) => ({
    "inner throws": () => storage.transaction(async (txn) => {
      await txn.put("a", 1);
      const inner = await storage.transaction(async (txn) => {
        await txn.put("a", 2);
        await txn.put("b", 2);
        throw new Error("inner");
      }).catch((error) => error.message);
      return [inner, await txn.get("a"), await txn.get("b") ?? "none"];
    }),
    "outer throws": async () => {
      const outer = await storage.transaction(async () => {
        await storage.transaction(async (txn) => {
          await txn.put("a", 3);
        });
        throw new Error("outer");
      }).catch((error) => error.message);
      return [outer, await storage.get("a")];
    },
    "outer rolls back": () => storage.transaction(async (outer) => {
      await storage.transaction(async (inner) => {
        await inner.put("a", 4);
        outer.rollback();
      });
    }),
    "left": () => storage.get("a"),
    "three": async () => {
      await storage.transaction(async () => {
        await storage.transaction(async (txn) => {
          await txn.put("c", 1);
          await storage.transaction(async (txn) => {
            await txn.put("c", 2);
            txn.rollback();
          });
          await txn.put("d", await txn.get("c"));
        });
      });
      return [...await storage.get(["c", "d"])];
    },
    "two at a time": async () => {
      const order = [];
      const step = (name) => storage.transaction(async (txn) => {
        order.push(`${name} begins`);
        const n = await txn.get("n") ?? 0;
        await turn();
        await txn.put("n", n + 1);
        order.push(`${name} ends`);
      });
      await Promise.all([step("first"), step("second")]);
      return [order.join(), await storage.get("n")];
    },
    "sync inside": () => storage.transaction(async (txn) => {
      storage.transactionSync(() => storage.kv.put("s", 1));
      try {
        storage.transactionSync(() => {
          storage.kv.put("s", 2);
          throw new Error("no");
        });
      } catch {
        // Only the inner write is gone.
      }
      return txn.get("s");
    }),
    "in transactionSync": async () => {
      let inner;
      storage.transactionSync(() => {
        storage.kv.put("t", 1);
        inner = storage.transaction(async (txn) => txn.get("t"));
      });
      return inner;
    },
    "transactionSync gives a promise": async () => {
      const promise = storage.transactionSync(async () => {
        storage.kv.put("p", 1);
        return "value";
      });
      return [promise instanceof Promise, await promise, storage.kv.get("p")];
    },
    "transactionSync without a callback": () => storage.transactionSync(),
    "deep": () => {
      const nest = (depth) => storage.transactionSync(() => depth === 0 ? "deep" : nest(depth - 1));
      return nest(20);
    },
  }),

  "/constraints": (storage) => ({
    "tables": () => {
      storage.sql.exec("CREATE TABLE parent (id INTEGER PRIMARY KEY)");
      storage.sql.exec("CREATE TABLE child (id INTEGER PRIMARY KEY, " +
        "parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)");
    },
    "mended in time": () => {
      storage.sql.exec("INSERT INTO child VALUES (1, 7)");
      storage.sql.exec("INSERT INTO parent VALUES (7)");
      return storage.sql.exec("SELECT count(*) AS n FROM child").one().n;
    },
    "in transactionSync": () => storage.transactionSync(() => {
      storage.sql.exec("INSERT INTO child VALUES (2, 8)");
      storage.sql.exec("INSERT INTO parent VALUES (8)");
      return "done";
    }),
  }),
};

export class Store extends DurableObject {
  async run(path) {
    const results = {};
    for (const [name, run] of Object.entries(await routes[path](this.ctx.storage))) {
      results[name] = await outcome(run);
    }
    return results;
  }

  /** Leaves a constraint violated at the end of the turn. */
  async violate() {
    this.count = (this.count ?? 0) + 1;
    this.ctx.storage.kv.put("lost", 1);
    this.ctx.storage.sql.exec("INSERT INTO child VALUES (9, 99)");
    return "violated";
  }

  async violateInTransaction() {
    this.count = (this.count ?? 0) + 1;
    return this.ctx.storage.transaction(async (txn) => {
      await txn.put("lost", 1);
      this.ctx.storage.sql.exec("INSERT INTO child VALUES (9, 99)");
      return "violated";
    });
  }

  /** Two reads of a value that no other event may change in between. */
  async countTo(path, slowly) {
    if (!slowly) return this.ctx.storage.put("n", 100);
    return this.ctx.storage.transaction(async (txn) => {
      const before = await txn.get("n") ?? 0;
      await turn();
      await turn();
      const after = await txn.get("n") ?? 0;
      await txn.put("n", after + 1);
      return [before, after];
    });
  }

  async state() {
    const rows = this.ctx.storage.sql.exec("SELECT id FROM child ORDER BY id").toArray();
    return {
      count: this.count ?? 0,
      lost: this.ctx.storage.kv.get("lost") ?? "none",
      rows: rows.map(({ id }) => id),
    };
  }
}

const described = (error) => `${error.name}: ${error.message}`;

export default {
  async fetch(request, _env, ctx) {
    const { pathname } = new URL(request.url);
    const stub = () => ctx.exports.Store.getByName(pathname);
    if (routes[pathname] !== undefined) return Response.json(await stub().run(pathname));
    const constraints = () => ctx.exports.Store.getByName("/constraints");
    switch (pathname) {
      case "/violate":
        return Response.json({
          caller: await constraints().violate().catch(described),
          state: await constraints().state(),
        });
      case "/violate-in-transaction":
        return Response.json({
          caller: await constraints().violateInTransaction().catch(described),
          state: await constraints().state(),
        });
      case "/isolation": {
        const store = stub();
        const slow = store.countTo(pathname, true);
        const fast = store.countTo(pathname, false);
        const [seen] = await Promise.all([slow, fast]);
        return Response.json({ seen });
      }
    }
    return new Response("no such path", { status: 404 });
  },
};
