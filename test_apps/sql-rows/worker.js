// `rowsRead` and `rowsWritten` of cursors: what a statement cost, indexes and triggers included.
import { DurableObject } from "cloudflare:workers";

const SETUP = [
  "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b TEXT)",
  "CREATE TABLE plain (a, b)",
  "CREATE TABLE indexed (a INTEGER, b TEXT, c)",
  "CREATE INDEX ia ON indexed (a)",
  "CREATE UNIQUE INDEX ib ON indexed (b)",
  "CREATE TABLE norowid (k TEXT PRIMARY KEY, v) WITHOUT ROWID",
  "CREATE TABLE child (id INTEGER PRIMARY KEY, t INTEGER REFERENCES t (id) ON DELETE CASCADE)",
  "CREATE INDEX ic ON child (t)",
  "CREATE TABLE log (n)",
  "CREATE TABLE triggered (a)",
  "CREATE TRIGGER g AFTER INSERT ON triggered BEGIN INSERT INTO log VALUES (new.a); END",
  "CREATE TABLE empty (a)",
  "CREATE VIRTUAL TABLE f USING fts5(x)",
  "CREATE VIRTUAL TABLE r USING rtree(id, x0, x1)",
];

/** In this order, on one database; a statement may stand more than once. */
const STATEMENTS = [
  "INSERT INTO t (a, b) VALUES (1, 'x')",
  "INSERT INTO t (id, a, b) VALUES (7, 2, 'y')",
  "INSERT INTO t (a, b) VALUES (3, 'z'), (4, 'z'), (5, 'z')",
  "INSERT INTO t (a, b) SELECT a + 10, b FROM t",
  "INSERT INTO plain VALUES (1, 2)",
  "INSERT INTO plain SELECT a, b FROM t",
  "INSERT INTO indexed VALUES (1, 'a', 1)",
  "INSERT INTO indexed SELECT a, 'b' || id, id FROM t",
  "INSERT OR IGNORE INTO indexed VALUES (1, 'a', 1)",
  "INSERT OR REPLACE INTO indexed VALUES (9, 'a', 2)",
  "INSERT INTO indexed VALUES (1, 'a', 1) ON CONFLICT (b) DO UPDATE SET c = 5",
  "INSERT INTO norowid VALUES ('a', 1), ('b', 2)",
  "INSERT OR REPLACE INTO norowid VALUES ('a', 3)",
  "INSERT INTO child (t) SELECT id FROM t",
  "INSERT INTO triggered VALUES (1), (2), (3)",
  "INSERT INTO triggered VALUES (4)",
  "INSERT INTO f VALUES ('a quick fox'), ('a lazy dog')",
  "INSERT INTO r VALUES (1, 0, 1), (2, 2, 3)",
  "SELECT * FROM t",
  "SELECT * FROM t WHERE id = 7",
  "SELECT * FROM t WHERE id = 700",
  "SELECT * FROM t WHERE id > 3",
  "SELECT * FROM t WHERE id > 3 AND id < 9",
  "SELECT * FROM t WHERE id BETWEEN 2 AND 4 ORDER BY id DESC",
  "SELECT * FROM t WHERE a = 3",
  "SELECT * FROM t LIMIT 2",
  "SELECT * FROM t LIMIT 2 OFFSET 3",
  "SELECT * FROM t ORDER BY b LIMIT 2",
  "SELECT * FROM t ORDER BY id DESC LIMIT 1",
  "SELECT count(*) FROM t",
  "SELECT count(*) FROM t WHERE a > 3",
  "SELECT count(*) FROM indexed",
  "SELECT max(id), min(id) FROM t",
  "SELECT max(id) FROM t",
  "SELECT max(a) FROM indexed",
  "SELECT sum(a) FROM t",
  "SELECT b, count(*) FROM t GROUP BY b",
  "SELECT DISTINCT b FROM t",
  "SELECT * FROM empty",
  "SELECT count(*) FROM empty",
  "SELECT 1",
  "VALUES (1), (2)",
  "SELECT * FROM indexed WHERE a = 1",
  "SELECT * FROM indexed WHERE a = 12",
  "SELECT * FROM indexed WHERE a = 99",
  "SELECT * FROM indexed WHERE b = 'b7'",
  "SELECT * FROM indexed WHERE a > 3",
  "SELECT a FROM indexed WHERE a > 3 AND a <= 12",
  "SELECT * FROM indexed WHERE a IN (1, 3, 99)",
  "SELECT * FROM indexed WHERE a = 1 OR b = 'b7'",
  "SELECT a FROM indexed ORDER BY a DESC LIMIT 3",
  "SELECT * FROM norowid WHERE k = 'a'",
  "SELECT * FROM norowid",
  "SELECT * FROM t JOIN child ON child.t = t.id",
  "SELECT * FROM child JOIN t ON child.t = t.id WHERE t.a < 4",
  "SELECT * FROM t LEFT JOIN child ON child.t = t.id AND child.id > 5",
  "SELECT * FROM t, plain WHERE t.a = plain.a",
  "SELECT * FROM t AS x CROSS JOIN empty",
  "SELECT * FROM empty CROSS JOIN t",
  "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM child WHERE child.t = t.id)",
  "SELECT id FROM t WHERE id IN (SELECT t FROM child WHERE id < 3)",
  "SELECT (SELECT count(*) FROM child WHERE child.t = t.id) FROM t",
  "SELECT a FROM t UNION SELECT a FROM plain",
  "SELECT a FROM t UNION ALL SELECT a FROM plain",
  "SELECT a FROM t EXCEPT SELECT a FROM plain",
  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5) SELECT i FROM n",
  "SELECT sum(a) OVER (ORDER BY id) FROM t",
  "SELECT value FROM json_each('[1,2,3]')",
  "SELECT * FROM f WHERE f MATCH 'lazy'",
  "SELECT * FROM f",
  "SELECT * FROM r WHERE x0 > 1",
  "SELECT * FROM sqlite_master",
  "EXPLAIN SELECT * FROM t",
  "PRAGMA table_info(t)",
  "UPDATE t SET b = 'u' WHERE id = 7",
  "UPDATE t SET b = 'u' WHERE id = 700",
  "UPDATE t SET b = 'v'",
  "UPDATE t SET b = 'w' WHERE a > 3",
  "UPDATE t SET id = id + 100 WHERE id = 7",
  "UPDATE indexed SET c = 0",
  "UPDATE indexed SET a = a + 1",
  "UPDATE indexed SET b = b || 'x' WHERE a = 2",
  "UPDATE norowid SET v = 9 WHERE k = 'a'",
  "UPDATE plain SET b = 1 FROM t WHERE t.a = plain.a",
  "UPDATE plain SET b = 2 RETURNING a",
  "UPDATE t SET b = 'l' LIMIT 2",
  "DELETE FROM t WHERE id = 1",
  "DELETE FROM t WHERE a = 3",
  "DELETE FROM t LIMIT 1",
  "DELETE FROM indexed WHERE a = 2",
  "DELETE FROM indexed WHERE a > 12",
  "DELETE FROM norowid WHERE k = 'a'",
  "DELETE FROM plain WHERE a = 1",
  "DELETE FROM plain",
  "DELETE FROM plain",
  "DELETE FROM indexed",
  "DELETE FROM f",
  "DELETE FROM r WHERE id = 1",
  "CREATE TABLE made (a)",
  "CREATE TABLE copied AS SELECT * FROM t",
  "ALTER TABLE made ADD COLUMN b",
  "DROP TABLE copied",
];

export class Database extends DurableObject {
  run(path) {
    const { sql } = this.ctx.storage;
    for (const statement of SETUP) sql.exec(statement);
    const counts = (cursor) => [cursor.rowsRead, cursor.rowsWritten];
    const found = {};
    if (path === "/statements") {
      STATEMENTS.forEach((statement, at) => {
        try {
          const cursor = sql.exec(statement);
          cursor.toArray();
          found[`${at}: ${statement}`] = counts(cursor);
        } catch (error) {
          found[`${at}: ${statement}`] = error.message;
        }
      });
      return found;
    }
    sql.exec("INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y'), (3, 'z'), (4, 'z')");
    const cursor = sql.exec("SELECT * FROM t");
    found["while it is read"] = [counts(cursor)];
    for (const _ of cursor) found["while it is read"].push(counts(cursor));
    found["while it is read"].push(counts(cursor));
    const insert = (a) => sql.exec("INSERT INTO triggered VALUES (?)", a);
    found["the same text again"] = [insert(1), insert(2), insert(3)].map(counts);
    const one = (id) => sql.exec("SELECT * FROM t WHERE id = ?", id);
    found["the same query again"] = [one(1), one(2), one(99)].map(counts);
    found["the last of several"] = counts(sql.exec("DELETE FROM log; SELECT * FROM t; SELECT 1"));
    const open = sql.exec("SELECT a FROM t");
    open.next();
    const second = sql.exec("SELECT a FROM t");
    second.toArray();
    found["two of one text"] = [counts(open), counts(second)];
    found["of a cached text"] = counts(sql.exec("SELECT a FROM t"));
    return found;
  }
}

export default {
  async fetch(request, _env, ctx) {
    const { pathname } = new URL(request.url);
    return Response.json(await ctx.exports.Database.getByName(pathname).run(pathname));
  },
};
