// `ctx.storage.sql`: statements, bindings, cursors, errors and transactions.
import { DurableObject } from "cloudflare:workers";

function outcome(run) {
  try {
    const value = run();
    return value === undefined ? "undefined" : value;
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

const kind = (value) => value === null ? "null" : value.constructor.name;

/** Each is given the storage of an object of its own. */
const routes = {
  "/bindings": ({ sql }) => ({
    "integer": () => sql.exec("SELECT ? AS v", 7).one().v,
    "float": () => sql.exec("SELECT ? AS v", 0.5).one().v,
    "text": () => sql.exec("SELECT ? AS v", "h\u00e9 \u2603").one().v,
    "null": () => sql.exec("SELECT ? AS v", null).one().v,
    "undefined": () => sql.exec("SELECT ? AS v", undefined).one().v,
    "true": () => sql.exec("SELECT ? AS v", true).one().v,
    "bytes": () => [...new Uint8Array(sql.exec("SELECT ? AS v", new Uint8Array([1, 2])).one().v)],
    "buffer": () => kind(sql.exec("SELECT ? AS v", new ArrayBuffer(2)).one().v),
    "bigint": () => sql.exec("SELECT ? AS v", 5n).one().v,
    "object": () => sql.exec("SELECT ? AS v", {}).one().v,
    "types": () => sql.exec(
      "SELECT typeof(?) AS a, typeof(?) AS b, typeof(?) AS c, typeof(?) AS d, typeof(?) AS e",
      1, 1.5, "x", null, new ArrayBuffer(1),
    ).raw().next().value,
    "numbered": () => sql.exec("SELECT ?2 AS a, ?1 AS b", 1, 2).one(),
    "too few": () => sql.exec("SELECT ?, ?", 1).toArray(),
    "too many": () => sql.exec("SELECT ?", 1, 2).toArray(),
    "large integer": () => sql.exec("SELECT 9007199254740993 AS v").one().v,
    "infinity": () => sql.exec("SELECT ? AS v", Infinity).one().v === Infinity,
    "not a number": () => sql.exec("SELECT ? AS v", NaN).one().v,
    "blob result": () => kind(sql.exec("SELECT x'0102' AS v").one().v),
  }),

  "/cursors": ({ sql }) => {
    sql.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, w TEXT)");
    sql.exec("INSERT INTO t (w) VALUES ('a'), ('b'), ('c')");
    const select = () => sql.exec("SELECT id, w FROM t ORDER BY id");
    return {
      "toArray": () => select().toArray(),
      "iterate": () => [...select()].map((row) => row.w).join(""),
      "next": () => {
        const cursor = select();
        return [cursor.next(), cursor.next(), cursor.next(), cursor.next().done];
      },
      "the rest": () => {
        const cursor = select();
        cursor.next();
        return cursor.toArray().length;
      },
      "used up": () => {
        const cursor = select();
        cursor.toArray();
        return cursor.toArray();
      },
      "raw": () => [...select().raw()],
      "raw toArray": () => select().raw().toArray(),
      "same name twice": () => sql.exec("SELECT 1 AS a, 2 AS a").raw().toArray(),
      "columnNames": () => select().columnNames,
      "columnNames of none": () => sql.exec("SELECT id FROM t WHERE id > 9").columnNames,
      "one": () => sql.exec("SELECT w FROM t WHERE id = 2").one(),
      "one of none": () => sql.exec("SELECT w FROM t WHERE id = 9").one(),
      "one of many": () => select().one(),
      "rowsWritten": () => sql.exec("UPDATE t SET w = w || 'x' WHERE id < 3").rowsWritten,
      "rowsRead": () => {
        const cursor = select();
        cursor.toArray();
        return cursor.rowsRead;
      },
      "insert returning": () => sql.exec("INSERT INTO t (w) VALUES ('d') RETURNING id, w").one(),
      "two cursors": () => {
        const first = select();
        const second = select();
        return [first.next().value.id, second.next().value.id, first.next().value.id];
      },
      "write while reading": () => {
        const cursor = select();
        cursor.next();
        sql.exec("INSERT INTO t (w) VALUES ('e')");
        return cursor.next().value.w;
      },
      "array methods": () => select().toArray().map(({ w }) => w).join(","),
    };
  },

  "/statements": ({ sql }) => ({
    "many": () => sql.exec("CREATE TABLE t (v); INSERT INTO t VALUES (1); SELECT v FROM t").one().v,
    "bindings are the last one's": () =>
      sql.exec("INSERT INTO t VALUES (2); SELECT v FROM t WHERE v = ?", 2).one().v,
    "white space and comments": () => sql.exec(" /* a */ SELECT 1 AS v; -- end\n ").one().v,
    "nothing": () => sql.exec("").toArray(),
    "only a comment": () => sql.exec("-- nothing").toArray(),
    "no rows": () => sql.exec("INSERT INTO t VALUES (3)").toArray(),
    "upsert": () => {
      sql.exec("CREATE TABLE u (k PRIMARY KEY, n)");
      const query = "INSERT INTO u VALUES (?, 1) " +
        "ON CONFLICT (k) DO UPDATE SET n = n + 1 RETURNING n";
      return [sql.exec(query, "a").one().n, sql.exec(query, "a").one().n];
    },
    "json": () => sql.exec("SELECT json_extract(?, '$.a[1]') AS v", '{"a":[1,2]}').one().v,
    "window": () =>
      sql.exec("SELECT sum(v) OVER (ORDER BY v) AS s FROM t").toArray().map(({ s }) => s),
    "recursion": () =>
      sql.exec(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) " +
          "SELECT group_concat(i, '') AS s FROM n",
      ).one().s,
    "search": () => {
      sql.exec("CREATE VIRTUAL TABLE f USING fts5(body)");
      sql.exec("INSERT INTO f VALUES ('a quick fox'), ('a lazy dog')");
      return sql.exec("SELECT body FROM f WHERE f MATCH 'lazy'").one().body;
    },
    "size": () => sql.databaseSize > 0,
  }),

  "/errors": ({ sql }) => ({
    "syntax": () => sql.exec("SELEC 1"),
    "no table": () => sql.exec("SELECT * FROM absent"),
    "no column": () => sql.exec("SELECT absent FROM sqlite_master"),
    "unique": () => {
      sql.exec("CREATE TABLE t (v UNIQUE)");
      sql.exec("INSERT INTO t VALUES (1)");
      sql.exec("INSERT INTO t VALUES (1)");
    },
    "not null": () => {
      sql.exec("CREATE TABLE n (v NOT NULL)");
      sql.exec("INSERT INTO n VALUES (NULL)");
    },
    "rows before an error stay": () => sql.exec("SELECT count(*) AS n FROM t").one().n,
    "begin": () => sql.exec("BEGIN"),
    "commit": () => sql.exec("COMMIT"),
    "savepoint": () => sql.exec("SAVEPOINT s"),
    "attach": () => sql.exec("ATTACH DATABASE '/tmp/x.db' AS x"),
    "vacuum": () => sql.exec("VACUUM"),
    "pragma": () => sql.exec("PRAGMA journal_mode = DELETE"),
    "extension": () =>
      outcome(() => sql.exec("SELECT load_extension('x')")).startsWith("Error: n"),
    "reserved table": () => sql.exec("CREATE TABLE _cf_mine (v)"),
    "reserved table read": () => sql.exec("SELECT * FROM _cf_KV"),
  }),

  "/transaction": (storage) => {
    const { sql } = storage;
    sql.exec("CREATE TABLE t (v)");
    const all = () => sql.exec("SELECT v FROM t ORDER BY v").toArray().map(({ v }) => v);
    return {
      "kept": () => {
        storage.transactionSync(() => sql.exec("INSERT INTO t VALUES (1)"));
        return all();
      },
      "taken back": () => {
        const message = outcome(() =>
          storage.transactionSync(() => {
            sql.exec("INSERT INTO t VALUES (2)");
            sql.exec("CREATE TABLE gone (v)");
            throw new RangeError("no");
          })
        );
        return [message, all(), outcome(() => sql.exec("SELECT * FROM gone"))];
      },
      "nested": () => {
        storage.transactionSync(() => {
          sql.exec("INSERT INTO t VALUES (3)");
          outcome(() =>
            storage.transactionSync(() => {
              sql.exec("INSERT INTO t VALUES (4)");
              throw new Error("inner");
            })
          );
        });
        return all();
      },
      "result": () => storage.transactionSync(() => "the result"),
    };
  },

  "/unchanged": ({ sql }) => ({
    "a statement that could write": () =>
      sql.exec("CREATE TABLE IF NOT EXISTS t (v)").toArray().length,
    "an update of no row": () => sql.exec("UPDATE t SET v = 1").rowsWritten,
  }),

  "/kept": ({ sql }) => ({
    "rows": () => {
      sql.exec("CREATE TABLE IF NOT EXISTS visits (id INTEGER PRIMARY KEY AUTOINCREMENT)");
      sql.exec("INSERT INTO visits DEFAULT VALUES");
      return sql.exec("SELECT count(*) AS n, max(id) AS last FROM visits").one();
    },
  }),
};

export class Database extends DurableObject {
  run(path) {
    const results = {};
    for (const [name, run] of Object.entries(routes[path](this.ctx.storage))) {
      results[name] = outcome(run);
      if (typeof results[name]?.next === "function") results[name] = "a cursor";
    }
    return results;
  }
}

export default {
  async fetch(request, _env, ctx) {
    const { pathname } = new URL(request.url);
    if (routes[pathname] === undefined) return new Response("no such path", { status: 404 });
    return Response.json(await ctx.exports.Database.getByName(pathname).run(pathname));
  },
};
